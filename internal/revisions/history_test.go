package revisions

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
)

// table is a gateway with something in every kind of field.
func table(rootfs string) config.Gateway {
	return config.Gateway{
		Name: "web", Rootfs: rootfs, Command: []string{"/web", "-v"},
		Env:    config.Env{Static: map[string]string{"A": "1"}, Pass: []string{"B"}},
		Mounts: []config.Mount{{Source: "data", Target: "/data"}},
		Listen: []config.Listen{{Name: "http", Address: "127.0.0.1:8090", Mode: "inherit", Park: 5 * time.Second}},
		Stop:   config.Stop{Signal: 15, Timeout: 10 * time.Second},
	}
}

func open(t *testing.T, dir string) *History {
	t.Helper()
	h, err := Open(dir, "web")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// again is the history as the next gatewayd finds it.
func again(t *testing.T, h *History) *History {
	t.Helper()
	if err := h.Save(); err != nil {
		t.Fatal(err)
	}
	return open(t, filepath.Dir(h.path))
}

// served adds a revision that serves.
func served(h *History, why string, g, file config.Gateway) int {
	n := h.Add(why, g, file)
	h.Serve(n)
	h.Settle(n, Served, "")
	return n
}

// resumes checks what the next gatewayd would run while the file says file; 0:
// a new revision of what the file says.
func resumes(t *testing.T, h *History, file config.Gateway, number int, rootfs string) {
	t.Helper()
	r, g, ok := again(t, h).Resume(file)
	if !ok {
		r.Number = 0
	}
	if r.Number != number || g.Rootfs != rootfs {
		t.Errorf("resumes revision %d of %s, want %d of %s", r.Number, g.Rootfs, number, rootfs)
	}
}

// What is provisional stays so over a restart, until it is confirmed or another
// one serves.
func TestTrialHoldsOverARestart(t *testing.T) {
	one, two := table("/one"), table("/two")
	h := open(t, t.TempDir())
	first := served(h, "start", one, one)
	until := time.Now().Add(time.Hour)
	served(h, "deploy", two, one)
	h.Try(first, until)
	h = again(t, h)
	if previous, at, ok := h.Trial(); !ok || previous.Number != first || !at.Equal(until) {
		t.Fatalf("trial: %+v until %v, %v", previous, at, ok)
	}
	h.Confirm()
	if _, _, ok := again(t, h).Trial(); ok {
		t.Error("it is confirmed, and still on trial")
	}
	h.Try(first, until)
	served(h, "deploy", one, one)
	if _, _, ok := again(t, h).Trial(); ok {
		t.Error("another one serves, and is on the trial of the one before")
	}
}

// A gateway that is removed takes its history with it.
func TestRemove(t *testing.T) {
	one := table("/one")
	h := open(t, t.TempDir())
	served(h, "deploy", table("/two"), one)
	h = again(t, h)
	for range 2 {
		if err := h.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	h.Add("late", one, one)
	resumes(t, h, one, 0, "/one")
}

func TestWhatHoldsOverARestart(t *testing.T) {
	one, two, other := table("/one"), table("/two"), table("/one")
	other.Stop.Timeout = time.Second
	h := open(t, t.TempDir())
	resumes(t, h, one, 0, "/one")
	served(h, "start", one, one)
	resumes(t, h, one, 1, "/one")
	resumes(t, h, other, 0, "/one")

	served(h, "deploy", two, one)
	resumes(t, h, one, 2, "/two")
	resumes(t, h, other, 0, "/one") // the table has changed: the override ends

	h.Settle(h.Add("configuration changed", other, other), Failed, "launch 3: exited with code 1")
	resumes(t, h, other, 2, "/two") // tried, and no better at a restart
	resumes(t, h, one, 0, "/one")   // changed again

	h.Add("configuration changed", one, one)
	resumes(t, h, one, 0, "/one") // interrupted: it is tried
}

// One that never became ready is no other revision at each start, and nothing to
// roll back to.
func TestNeverReady(t *testing.T) {
	h := open(t, t.TempDir())
	h.Serve(h.Add("start", table("/one"), table("/one")))
	resumes(t, h, table("/one"), 1, "/one")
	h = again(t, h)
	served(h, "configuration changed", table("/two"), table("/two"))
	if r, ok := h.Before(); ok {
		t.Errorf("a rollback brings back %d, which never served", r.Number)
	}
}

func TestRollbackHolds(t *testing.T) {
	one, two := table("/one"), table("/two")
	h := open(t, t.TempDir())
	served(h, "start", one, one)
	n := served(h, "configuration changed", two, two)
	h.Settle(n, RolledBack, "crash loop")
	h.Serve(1)
	resumes(t, h, two, 1, "/one")
	if _, ok := h.Before(); ok {
		t.Error("what was rolled back would be brought back")
	}
}

func TestBefore(t *testing.T) {
	h := open(t, t.TempDir())
	if _, ok := h.Before(); ok {
		t.Error("there is something before nothing")
	}
	g := table("/one")
	served(h, "start", g, g)
	served(h, "deploy", g, g)
	h.Settle(h.Add("deploy", g, g), Failed, "why")
	served(h, "deploy", g, g)
	if r, _ := h.Before(); r.Number != 2 {
		t.Errorf("a rollback brings back %d, want 2", r.Number)
	}
	served(h, "rollback to 2", g, g)
	if r, _ := h.Before(); r.Number != 4 {
		t.Errorf("a second rollback brings back %d, want 4", r.Number)
	}
}

func TestItIsKept(t *testing.T) {
	h := open(t, t.TempDir())
	n := served(h, "deploy", table("/two"), table("/one"))
	h.Examined(n, "sha256:01")
	h.Settle(h.Add("deploy", table("/three"), table("/one")), Failed, "why\xff")
	r, ok := again(t, h).Get(n)
	g, err := r.Gateway(config.Gateway{})
	if !ok || err != nil || !reflect.DeepEqual(g, table("/two")) || !r.Differs() || r.Digest != "sha256:01" || time.Since(r.When) > time.Hour {
		t.Errorf("%+v, %+v, %v", r, g, err)
	}
	if r, _ := again(t, h).Get(n + 1); r.Outcome != Failed || r.Cause != "why" {
		t.Errorf("%+v", r)
	}
	info, err := os.Stat(h.path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(h.path)); len(entries) != 1 {
		t.Errorf("left beside it: %v", entries)
	}
}

// What a later gatewayd has learned to configure is as its file says, and makes
// no difference to what an earlier one wrote down.
func TestFieldsThatWereNotKnown(t *testing.T) {
	h := open(t, t.TempDir())
	two := table("/two")
	two.Command, two.Env.Static = []string{"/other"}, map[string]string{"A": "2", "B": "2"}
	served(h, "deploy", two, table("/one"))
	for i := range h.kept.Revisions {
		r := &h.kept.Revisions[i]
		r.Deployed = []byte(strings.Replace(string(r.Deployed), `"Rootfs":`, `"Unknown":1,"Rootfs":`, 1))
		r.File = []byte(strings.Replace(string(r.File), `"Park":5000000000`, `"Unknown":1`, 1))
		r.File = []byte(strings.Replace(string(r.File), `"Timeout":10000000000`, `"Unknown":1`, 1))
	}
	file := table("/one")
	file.Stop.Timeout = 7 * time.Second
	file.Listen[0].Park = 0
	if _, g, ok := again(t, h).Resume(file); !ok || g.Rootfs != "/two" || g.Command[0] != "/other" {
		t.Errorf("%v, %+v", ok, g)
	}
	if !reflect.DeepEqual(file.Command, table("").Command) || !reflect.DeepEqual(file.Env, table("").Env) {
		t.Errorf("the file's table was written to: %+v", file)
	}
}

func TestNumbersAreNotUsedAgain(t *testing.T) {
	h := open(t, t.TempDir())
	g := table("/one")
	served(h, "start", g, g)
	served(h, "deploy", g, g)
	for range 3 * keep {
		h.Settle(h.Add("deploy", g, g), Failed, "why")
	}
	h = again(t, h)
	if n := h.Add("deploy", g, g); n != 3*keep+3 {
		t.Errorf("number %d", n)
	}
	all, serving := h.List()
	if len(all) != keep || serving != 2 || all[0].Number != 1 || all[1].Number != 2 {
		t.Errorf("%d are kept, %d serves, the first is %d", len(all), serving, all[0].Number)
	}
}

// What a kill in the middle of a Save leaves goes when the history is read again.
func TestKillInASaveLeavesNothing(t *testing.T) {
	h := open(t, t.TempDir())
	served(h, "start", table("/one"), table("/one"))
	h = again(t, h)
	if err := os.WriteFile(aside(h.path), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	resumes(t, h, table("/one"), 1, "/one")
	entries, err := os.ReadDir(filepath.Dir(h.path))
	if err != nil || len(entries) != 1 || entries[0].Name() != "web.json" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestDamagedFileIsPutAside(t *testing.T) {
	const whole = `{"format":1,"last":1,"serving":1,"revisions":[{"number":1,"when":"2026-11-23T12:00:00Z","why":"start","outcome":"served","deployed":{}}]}`
	for _, text := range []string{
		"", "null", "[]", "\x00\x00", whole[:len(whole)/2],
		strings.Replace(whole, `"format":1`, `"format":2`, 1),
		strings.Replace(whole, `"number":1`, `"number":0`, 1),
		strings.Replace(whole, `"last":1`, `"last":0`, 1),
		strings.Replace(whole, `"serving":1`, `"serving":2`, 1),
		strings.Replace(whole, `"deployed":{}`, `"deployed":null`, 1),
		strings.Replace(whole, `"deployed":{}`, `"deployed":{},"file":[]`, 1),
		strings.Replace(whole, `}]}`, `},{"number":1,"deployed":{}}]}`, 1),
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "web.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Open(dir, "web")
		if err == nil || !strings.Contains(err.Error(), path+".damaged") {
			t.Errorf("%q: %v", text, err)
		}
		if aside, err := os.ReadFile(path + ".damaged"); err != nil || string(aside) != text {
			t.Errorf("%q put aside as %q, %v", text, aside, err)
		}
		if n := served(h, "start", table("/one"), table("/one")); n != 1 {
			t.Errorf("%q: begins with %d", text, n)
		}
		resumes(t, h, table("/one"), 1, "/one")
	}
}

// A gateway that was written by something else is none to run.
func TestForeignGatewayIsNotResumed(t *testing.T) {
	h := open(t, t.TempDir())
	served(h, "start", table("/one"), table("/one"))
	h.kept.Revisions[0].Deployed = []byte(`{"Command":7}`)
	resumes(t, h, table("/one"), 0, "/one")
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "web.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := Open(dir, "web")
	if err == nil || h == nil {
		t.Fatal(h, err)
	}
	h.Add("start", table("/one"), table("/one"))
	for range 2 { // it is not taken for saved
		if err := h.Save(); err == nil || !strings.HasPrefix(err.Error(), "keep history ") {
			t.Error(err)
		}
	}
}

// Every value that a gateway can have is told apart when it is read again.
func TestEncodeHoldsEveryField(t *testing.T) {
	g := table("/one")
	each(reflect.ValueOf(&g).Elem(), "", func(path string) {
		got, err := decode(encode(g), config.Gateway{})
		if err != nil || !reflect.DeepEqual(got, g) {
			t.Errorf("%s: %+v becomes %+v, %v", path, g, got, err)
		}
	})
}

func each(v reflect.Value, path string, visit func(string)) {
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			each(v.Field(i), fmt.Sprint(path, ".", v.Type().Field(i).Name), visit)
		}
		return
	}
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	v.SetZero()
	visit(path)
	v.Set(old)
}

func TestRefused(t *testing.T) {
	one, two := table("/one"), table("/two")
	h := open(t, t.TempDir())
	served(h, "start", one, one)
	h.Settle(h.Add("deploy", two, one), Failed, "why") // the file said something else
	if r, ok := h.Refused(1); ok {
		t.Errorf("%+v", r)
	}
	n := h.Add("configuration changed", two, two)
	if r, ok := h.Refused(1); ok {
		t.Errorf("under way: %+v", r)
	}
	for _, outcome := range []Outcome{Failed, RolledBack, Interrupted} {
		h.Settle(n, outcome, "why")
		if r, ok := h.Refused(1); !ok || r.Number != n {
			t.Errorf("%s: %+v", outcome, r)
		}
	}
}
