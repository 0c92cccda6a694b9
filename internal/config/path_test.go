package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPath: the places in order, each with all that come after it.
func TestPath(t *testing.T) {
	xdg, home := t.TempDir(), t.TempDir()
	inXDG, inHome := filepath.Join(xdg, "gatewayd/gatewayd.toml"), filepath.Join(home, ".config/gatewayd/gatewayd.toml")
	touch(t, inXDG)
	touch(t, inHome)
	for name, c := range map[string]struct {
		flag string
		env  map[string]string
		want string
	}{
		"flag":                 {"f.toml", map[string]string{"GATEWAYD_CONFIG": "/e.toml", "XDG_CONFIG_HOME": xdg, "HOME": home}, "f.toml"},
		"variable":             {"", map[string]string{"GATEWAYD_CONFIG": "/e.toml", "XDG_CONFIG_HOME": xdg, "HOME": home}, "/e.toml"},
		"config home":          {"", map[string]string{"XDG_CONFIG_HOME": xdg, "HOME": home}, inXDG},
		"home":                 {"", map[string]string{"HOME": home}, inHome},
		"relative config home": {"", map[string]string{"XDG_CONFIG_HOME": "here", "HOME": home}, inHome},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Path(c.flag, func(name string) string { return c.env[name] })
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestPathListsThePlaces(t *testing.T) {
	const system = "/etc/gatewayd/gatewayd.toml"
	home := t.TempDir()
	got, err := Path("", func(name string) string { return map[string]string{"HOME": home}[name] })
	if _, statErr := os.Stat(system); statErr == nil {
		if got != system {
			t.Errorf("got %q, %v; want %s", got, err, system)
		}
		return
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %q, %v", got, err)
	}
	for _, place := range []string{filepath.Join(home, ".config/gatewayd/gatewayd.toml"), system} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%s is not in %q", place, err)
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
