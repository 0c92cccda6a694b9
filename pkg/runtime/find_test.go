package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/fakeruntime"
)

// plant copies the test binary to path, as a runtime of that version.
func plant(t *testing.T, path, version string, mode os.FileMode) string {
	t.Helper()
	must(t, fakeruntime.Plant(path, version, mode))
	return path
}

func TestFindTakesTheFirstUsable(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	old := plant(t, filepath.Join(dir, "old"), "youki version: 0.6.9", 0o755)
	good := plant(t, filepath.Join(dir, "good"), "youki version: 0.7.0\ncommit: x", 0o755)
	for _, want := range []string{"auto", "youki"} {
		b, err := Find(t.Context(), want, []string{none, old, good})
		must(t, err)
		if b.Path != good || b.Name != "youki" || b.Version != "0.7.0" || b.Why == "" {
			t.Errorf("found %+v", b)
		}
	}
}

func TestFindByPath(t *testing.T) {
	path := plant(t, filepath.Join(t.TempDir(), "crun"), "crun version 1.8.1", 0o755)
	b, err := Find(t.Context(), path, nil)
	must(t, err)
	if b.Name != "crun" || b.Version != "1.8.1" || b.Path != path {
		t.Errorf("found %+v", b)
	}
}

func TestFindRefuses(t *testing.T) {
	dir := t.TempDir()
	cases := map[string]string{
		"missing":  filepath.Join(dir, "missing"),
		"relative": "bin/youki",
		"dir":      dir,
		"old":      plant(t, filepath.Join(dir, "old"), "youki version: 0.6.9", 0o755),
		"rc":       plant(t, filepath.Join(dir, "rc"), "youki version: 0.7.0-rc1", 0o755),
		"closed":   plant(t, filepath.Join(dir, "closed"), "youki version: 0.7.0", 0o644),
		"group":    plant(t, filepath.Join(dir, "group"), "youki version: 0.7.0", 0o775),
		"world":    plant(t, filepath.Join(dir, "world"), "youki version: 0.7.0", 0o757),
		"mute":     plant(t, filepath.Join(dir, "mute"), "", 0o755),
		"other":    plant(t, filepath.Join(dir, "other"), "crun version 1.8.1", 0o755),
	}
	for name, path := range cases {
		_, errs := findNamed(t.Context(), "youki", []string{path})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), path) {
			t.Errorf("%s: %v, want one error that names the place", name, errs)
		}
	}
}

// foreign is a file as it would be if somebody else owned it.
type foreign struct{ fs.FileInfo }

func (foreign) Sys() any { return &syscall.Stat_t{Uid: 12345} }

func TestTrustedRefusesForeignOwner(t *testing.T) {
	info, err := os.Stat(plant(t, filepath.Join(t.TempDir(), "youki"), "", 0o755))
	must(t, err)
	must(t, trusted(info))
	if err := trusted(foreign{info}); err == nil {
		t.Error("another user's program is trusted")
	}
}

// What Find has seen is what runs, whatever lies there at Open.
func TestOpenTakesWhatFindSaw(t *testing.T) {
	path := plant(t, filepath.Join(t.TempDir(), "youki"), "youki version: 0.7.0", 0o755)
	b, err := Find(t.Context(), path, nil)
	must(t, err)
	must(t, os.Remove(path))
	plant(t, path, "youki version: 0.6.9", 0o777)
	r, err := Open(b, Options{Root: t.TempDir()})
	must(t, err)
	defer r.Close()
	if _, version, err := askVersion(t.Context(), r.client("").Command); err != nil || version != "0.7.0" {
		t.Errorf("version %q runs, %v", version, err)
	}
}

func TestFindSurvivesHang(t *testing.T) {
	path := plant(t, filepath.Join(t.TempDir(), "youki"), "hang", 0o755)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := Find(ctx, path, nil); !errors.Is(err, ErrNoRuntime) {
		t.Errorf("find = %v, want ErrNoRuntime", err)
	}
	nothingRuns(t)
}

func TestFindListsPlaces(t *testing.T) {
	_, err := Find(t.Context(), "podman", nil)
	if !errors.Is(err, ErrNoRuntime) || !strings.Contains(err.Error(), "podman") {
		t.Errorf("find = %v", err)
	}
	got := places("youki", []string{"/libexec/youki", "youki", "/cache/youki"})
	if got[0] != "/libexec/youki" || got[1] != "/usr/local/sbin/youki" || got[len(got)-1] != "/cache/youki" || len(got) != 8 {
		t.Errorf("places = %v", got)
	}
	if got := places("crun", []string{"/libexec/youki"}); len(got) != 6 || got[0] != "/usr/local/sbin/crun" {
		t.Errorf("places of crun = %v", got)
	}
}

func TestOlder(t *testing.T) {
	for version, want := range map[string]bool{"0.7.0": false, "0.7.1": false, "0.10.0": false, "1.0": false, "1": false,
		"0.6.9": true, "0.7.0-rc1": true, "0.8.0-rc1": false, "0.7": false, "": true, "unknown": true} {
		if got := older(version, "0.7.0"); got != want {
			t.Errorf("older(%q) = %v", version, got)
		}
	}
}

func TestFindRefusesScripts(t *testing.T) {
	script := filepath.Join(t.TempDir(), "youki")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\necho youki version 0.7.0\n"), 0o755))
	must(t, os.Chmod(script, 0o755))
	if _, err := Find(t.Context(), script, nil); err == nil || !strings.Contains(err.Error(), "ELF") {
		t.Errorf("find of a script = %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(Binary{Name: "youki", Path: self(t)}, Options{Root: t.TempDir()}); err == nil {
		t.Error("a program that Find has not looked at is opened")
	}
	b, err := Find(t.Context(), self(t), nil)
	must(t, err)
	if _, err := Open(b, Options{Root: "runtime"}); err == nil {
		t.Error("a relative root is accepted")
	}
}

// An upgrade on disk must not change the runtime under a running daemon, and
// nobody must be able to write the copy.
func TestOpenPinsTheProgram(t *testing.T) {
	path := plant(t, filepath.Join(t.TempDir(), "youki"), "youki version: 0.7.0", 0o755)
	found, err := Find(t.Context(), path, nil)
	must(t, err)
	r, err := Open(found, Options{Root: t.TempDir()})
	must(t, err)
	defer r.Close()
	must(t, os.Remove(path))
	if r.program.fd < 100 {
		t.Errorf("descriptor %d would be hidden by extra files", r.program.fd)
	}
	copied := r.client("").Command
	if name, _, err := askVersion(t.Context(), copied); err != nil || name != "youki" {
		t.Errorf("the copy says %q, %v", name, err)
	}
	file, err := os.OpenFile(copied, os.O_RDWR, 0)
	if err == nil {
		_, err = file.WriteAt([]byte("x"), 0)
		file.Close()
	}
	if err == nil {
		t.Error("the copy can be written")
	}
	must(t, r.Close())
	must(t, r.Close())
}

func TestEnvironmentFor(t *testing.T) {
	got := EnvironmentFor([]string{"SECRET=x", "XDG_RUNTIME_DIR=/run/user/1", "LISTEN_FDS=3", "PATH=/evil", "DBUS_SESSION_BUS_ADDRESS="})
	want := "PATH=" + Path + " XDG_RUNTIME_DIR=/run/user/1"
	if strings.Join(got, " ") != want {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

// What we are short of says nothing of a runtime: no lesser one is taken in its place,
// and the error is none that another try would not mend.
func TestFindInWantOfDescriptors(t *testing.T) {
	dir := t.TempDir()
	good := plant(t, filepath.Join(dir, "good"), "youki version: 0.7.0", 0o755)
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: limit.Max}))
	_, auto := Find(t.Context(), "auto", []string{good})
	_, byPath := Find(t.Context(), good, nil)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	for _, err := range []error{auto, byPath} {
		if !errors.Is(err, syscall.EMFILE) || errors.Is(err, ErrNoRuntime) {
			t.Errorf("%v", err)
		}
	}
}

// The copy is what was found, whatever becomes of the file.
func TestChanged(t *testing.T) {
	path := plant(t, filepath.Join(t.TempDir(), "youki"), "youki version: 0.7.0", 0o755)
	b, err := Find(t.Context(), path, nil)
	must(t, err)
	must(t, b.Changed())
	plant(t, path, "youki version: 0.7.1", 0o755)
	if err := b.Changed(); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("of the same size: %v", err)
	}
	must(t, os.Remove(path))
	if err := b.Changed(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	must(t, syscall.Mkfifo(path, 0o600))
	if err := b.Changed(); err == nil {
		t.Error("a FIFO is the program")
	}
	must(t, os.Remove(path))
	plant(t, path, "youki version: 0.7.0", 0o755)
	must(t, b.Changed())
}
