package runtime

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The copy of the program is all that another image needs, and what somebody
// could have changed is none.
func TestRegain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "youki")
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.close()
	found := Binary{Name: "youki", Path: path, Version: "0.7.0", Why: "test", sealed: sealed}
	file, err := found.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // an upgrade on disk
		t.Fatal(err)
	}
	again, err := Regain(Binary{Name: "youki", Path: path, Version: "0.7.0"}, file)
	if err != nil {
		t.Fatal(err)
	}
	defer again.sealed.close()
	if again.sealed.fd < lowestFD || again.sealed.fd == sealed.fd {
		t.Errorf("its number is %d, was %d", again.sealed.fd, sealed.fd)
	}
	if err := exec.Command(again.sealed.path()).Run(); err != nil {
		t.Error(err)
	}
	if _, err := (Binary{}).File(); err == nil {
		t.Error("what was never found is handed over")
	}
	plain, err := os.Open("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Regain(found, plain); err == nil || !strings.Contains(err.Error(), "not sealed") {
		t.Errorf("a plain file: %v", err)
	}
}

// A process that is not ours is nobody's to go on with.
func TestAdoptStranger(t *testing.T) {
	r := &Runtime{}
	if _, err := r.Adopt("web-1", "/tmp", 1); !errors.Is(err, ErrNotChild) {
		t.Errorf("error %v", err)
	}
	if _, err := r.Adopt("../web", "/tmp", os.Getpid()); err == nil {
		t.Error("an id that is none is adopted")
	}
}
