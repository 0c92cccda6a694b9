package config

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestRevision: two gateways have the same revision if and only if they are
// equal.
func TestRevision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := gateways().Draw(t, "a"), gateways().Draw(t, "b")
		if same := reflect.DeepEqual(a, b); same != (a.Revision() == b.Revision()) {
			t.Errorf("equal: %v, revisions %s and %s", same, a.Revision(), b.Revision())
		}
	})
}

// gateways draws gateways that are equal often: few values for each field.
func gateways() *rapid.Generator[Gateway] {
	return rapid.Custom(func(t *rapid.T) Gateway {
		few := rapid.SampledFrom([]string{"", "a", "b", `a", "b`})
		list := rapid.Custom(func(t *rapid.T) []string {
			return append([]string(nil), rapid.SliceOfN(few, 0, 2).Draw(t, "list")...)
		})
		g := defaultGateway("web")
		g.Bundle = few.Draw(t, "bundle")
		g.Command = list.Draw(t, "command")
		g.Env.Pass, g.Env.Required = list.Draw(t, "pass"), list.Draw(t, "required")
		g.Isolation.Init = rapid.Bool().Draw(t, "init")
		return g
	})
}

// TestRevisionHoldsEveryField changes one field after the other, whatever
// fields there are.
func TestRevisionHoldsEveryField(t *testing.T) {
	g := defaultGateway("web")
	first := g.Revision()
	eachField(reflect.ValueOf(&g).Elem(), "", func(path string, change, restore func()) {
		change()
		if g.Revision() == first {
			t.Errorf("%s makes no difference", path)
		}
		restore()
		if g.Revision() != first {
			t.Errorf("%s: restored, and yet another revision", path)
		}
	})
}

func eachField(v reflect.Value, path string, visit func(path string, change, restore func())) {
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			eachField(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
		return
	}
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	visit(path, func() { v.Set(other(v)) }, func() { v.Set(old) })
}

// other returns a value of v's type that is not v's.
func other(v reflect.Value) reflect.Value {
	changed := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		changed.SetString(v.String() + "x")
	case reflect.Bool:
		changed.SetBool(!v.Bool())
	case reflect.Float64:
		changed.SetFloat(v.Float() + 1e-9)
	case reflect.Int, reflect.Int64:
		changed.SetInt(v.Int() + 1)
	case reflect.Slice:
		changed.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		changed.Set(reflect.MakeMap(v.Type()))
		changed.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	}
	return changed
}
