package held

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newStore(t *testing.T) Store { return Store{Dir: t.TempDir(), Keys: t.TempDir()} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var hold = Hold{
	Since: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC), Cause: "exited with code 78",
	Print: Print{Config: "c", Source: "sha256:00", Values: "v"},
}

func TestHoldIsReadBack(t *testing.T) {
	s := newStore(t)
	if _, ok := s.Read("web"); ok {
		t.Error("there is a hold that nobody wrote")
	}
	must(t, s.Write("web", hold))
	got, ok := s.Read("web")
	if diff := cmp.Diff(hold, got); diff != "" || !ok {
		t.Error(diff)
	}
	must(t, s.Remove("web"))
	must(t, s.Remove("web"))
	if _, ok := s.Read("web"); ok {
		t.Error("it is still there")
	}
}

// What another one could write there, or a crash leave, is no hold.
func TestWhatIsNoHold(t *testing.T) {
	s := newStore(t)
	text, err := json.Marshal(hold)
	must(t, err)
	for name, text := range map[string]string{
		"nothing": "", "cut short": string(text[:len(text)/2]), "another": "[]", "no time": `{"print":{"config":"c"}}`,
		"no configuration": `{"since":"2026-01-02T03:04:05Z"}`,
	} {
		must(t, os.WriteFile(s.path("web"), []byte(text), 0o600))
		if h, ok := s.Read("web"); ok {
			t.Errorf("%s: %+v", name, h)
		}
	}
	must(t, os.Remove(s.path("web")))
	must(t, os.WriteFile(s.path("other"), text, 0o600))
	must(t, os.Symlink(s.path("other"), s.path("web")))
	if _, ok := s.Read("web"); ok {
		t.Error("a link is followed")
	}
}

// A file that was being written when gatewayd was killed is not left for ever.
func TestNothingIsLeft(t *testing.T) {
	s := newStore(t)
	for _, gateway := range []string{"web", "old"} {
		must(t, s.Write(gateway, hold))
		must(t, os.WriteFile(s.path(gateway)+aside, nil, 0o600))
		if _, err := s.Seal(gateway, []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s.Keep("web"))
	if _, ok := s.Read("web"); !ok {
		t.Error("the hold that is kept is gone")
	}
	must(t, s.Remove("web"))
	for _, dir := range []string{s.Dir, s.Keys} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Error(entries, err)
		}
	}
}

func TestSeal(t *testing.T) {
	s := newStore(t)
	seal := func(values ...string) string {
		t.Helper()
		var list [][]byte
		for _, value := range values {
			list = append(list, []byte(value))
		}
		text, err := s.Seal("web", list...)
		must(t, err)
		return text
	}
	first := seal("a", "b")
	if first != seal("a", "b") || seal() != "" {
		t.Error("the same values are not the same")
	}
	for _, other := range [][]string{{"ab"}, {"a"}, {"b", "a"}, {"a", "b", ""}, {"a", "c"}} {
		if seal(other...) == first {
			t.Errorf("%q pass for other values", other)
		}
	}
	must(t, s.Remove("web")) // and the key with it
	if seal("a", "b") == first {
		t.Error("another hold has the same key: who has both files could compare")
	}
	must(t, os.WriteFile(s.keyPath("web"), []byte("short"), 0o600))
	if seal("a", "b") == "" || len(read(t, s.keyPath("web"))) != keySize {
		t.Error("a key that was cut short is used")
	}
}

// Nobody who has the disk can try values against what lies there.
func TestValuesAreNotOnTheDisk(t *testing.T) {
	s, h := newStore(t), hold
	var err error
	h.Print.Values, err = s.Seal("web", []byte("hunter2"))
	must(t, err)
	must(t, s.Write("web", h))
	key := read(t, s.keyPath("web"))
	must(t, filepath.WalkDir(s.Dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if text := read(t, path); strings.Contains(string(text), "hunter2") || bytes.Contains(text, key) {
				t.Errorf("%s: %s", path, text)
			}
		}
		return err
	}))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

// Whatever lies there, it is no hold, or one that is the same when it is written
// again.
func FuzzHold(f *testing.F) {
	text, err := json.Marshal(hold)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"since":"2026-01-02T03:04:05+25:00","print":{"config":"c"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, ok := parse(text)
		if !ok {
			return
		}
		h.Cause = "" // which may be shortened
		s := newStore(t)
		must(t, s.Write("web", h))
		again, ok := s.Read("web")
		if !ok || !again.Since.Equal(h.Since) || again.Print != h.Print {
			t.Errorf("%+v, written again %+v", h, again)
		}
	})
}
