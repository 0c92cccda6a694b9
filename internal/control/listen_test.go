package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control.sock")
	abandon(t, path)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("in place of a file: %v", err)
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Error("the file is gone")
	}
}

func TestPathTooLong(t *testing.T) {
	path := "/" + strings.Repeat("x", 107)
	_, listen := Listen(path)
	_, status := Dial(path).Status(t.Context())
	for _, err := range []error{listen, status} {
		if err == nil || !strings.Contains(err.Error(), "108 bytes") || !strings.Contains(err.Error(), "at most 107") {
			t.Errorf("says: %v", err)
		}
	}
	longest := filepath.Join(t.TempDir(), "")
	longest += "/" + strings.Repeat("x", 107-len(longest)-1)
	l, err := Listen(longest)
	if err != nil {
		t.Fatalf("with 107 bytes: %v", err)
	}
	l.Close()
}
