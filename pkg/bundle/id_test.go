package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID("web-2", 17)
		if !regexp.MustCompile(`^web-2-17-[a-z2-7]{10}$`).MatchString(id) || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestMakeDir(t *testing.T) {
	parent := scratch(t)
	defer syscall.Umask(syscall.Umask(0o077))
	id, path, err := MakeDir(parent, "web", 3, 0o711)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if path != filepath.Join(parent, id) || info.Mode() != fs.ModeDir|0o711 {
		t.Errorf("%s %s %v", id, path, info.Mode())
	}
}

func TestMakeDirTriesAnotherID(t *testing.T) {
	parent := scratch(t)
	must(t, os.WriteFile(filepath.Join(parent, "taken"), []byte("kept"), 0o600))
	root, err := os.OpenRoot(parent)
	must(t, err)
	defer root.Close()
	ids := []string{"taken", "taken", "free"}
	next := func() string { id := ids[0]; ids = ids[1:]; return id }
	if id, _, err := makeDir(root, 0o700, next); id != "free" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	if _, _, err := makeDir(root, 0o700, func() string { return "taken" }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, parent, "taken", "free")
}

func TestMakeDirErrors(t *testing.T) {
	parent := scratch(t)
	for _, name := range []string{"", "a/b", "../x", "a\x00"} {
		if _, _, err := MakeDir(parent, name, 1, 0o700); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
	if _, _, err := MakeDir(filepath.Join(parent, "gone"), "web", 1, 0o700); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
