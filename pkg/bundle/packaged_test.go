package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pack makes a packaged bundle with this config.json.
func pack(t *testing.T, config string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(scratch(t))
	must(t, err, os.MkdirAll(dir+"/bundle/rootfs", 0o755), os.Mkdir(dir+"/bundle/data", 0o755), os.Mkdir(dir+"/outside", 0o755),
		os.Symlink("rootfs", dir+"/bundle/link"), os.Symlink("../outside", dir+"/bundle/out"), os.Symlink(dir+"/outside", dir+"/bundle/absolute"),
		os.Symlink("bundle", dir+"/current"),
		os.WriteFile(dir+"/bundle/config.json", []byte(strings.ReplaceAll(config, "BUNDLE", dir+"/bundle")), 0o644))
	return dir + "/bundle"
}

func TestOpenFindsRootfsAndBinds(t *testing.T) {
	for config, want := range map[string]string{
		`{"root": {"path": "rootfs"}}`:                   "rootfs",
		`{"root": {"path": "./data/../rootfs/"}}`:        "rootfs",
		`{"root": {"path": "link"}}`:                     "rootfs",
		`{"root": {"path": "BUNDLE/rootfs"}}`:            "rootfs",
		` {"root": {"path": "data"}, "new": [1]}` + "\n": "data",
	} {
		dir := pack(t, config)
		for _, path := range []string{dir, filepath.Dir(dir) + "/current"} {
			p, err := Open(path)
			if err != nil || p.Rootfs != filepath.Join(dir, want) || p.Dir != dir {
				t.Errorf("%s: %+v, %v", config, p, err)
			}
		}
	}
	dir := pack(t, `{"root": {"path": "rootfs"}, "mounts": [{"destination": "/d", "type": "bind", "source": "data"}, {"destination": "/e", "options": ["rbind"], "source": "/etc"}, {"destination": "/t", "type": "tmpfs", "source": "data"}]}`)
	p, err := Open(dir)
	must(t, err)
	if m := p.Spec.Mounts; m[0].Source != dir+"/data" || m[1].Source != "/etc" || m[2].Source != "data" {
		t.Errorf("sources %+v", m)
	}
}

func TestOpenRefuses(t *testing.T) {
	for config, want := range map[string]string{
		``:                                  "not a JSON object",
		`null`:                              "not a JSON object",
		`[]`:                                "not a JSON object",
		`{"root": {"path": "rootfs"}} {}`:   "invalid character",
		`{"root": {"path": 1}}`:             "cannot unmarshal",
		`{}`:                                "root.path: missing",
		`{"root": {"path": ""}}`:            "root.path: missing",
		`{"root": {"path": "."}}`:           "leads out of the bundle",
		`{"root": {"path": ".."}}`:          "escapes",
		`{"root": {"path": "../outside"}}`:  "escapes",
		`{"root": {"path": "out"}}`:         "escapes",
		`{"root": {"path": "absolute"}}`:    "escapes",
		`{"root": {"path": "/etc"}}`:        "escapes",
		`{"root": {"path": "BUNDLEx"}}`:     "escapes",
		`{"root": {"path": "gone"}}`:        "no such file",
		`{"root": {"path": "config.json"}}`: "not a directory",
		`{"root": {"path": "rootfs"}, "mounts": [{"destination": "/d", "type": "bind", "source": "../outside"}]}`:      "mounts[0].source",
		`{"root": {"path": "rootfs"}, "mounts": [{"destination": "/d", "type": "bind", "source": "out"}]}`:             "mounts[0].source",
		`{"root": {"path": "rootfs"}, "mounts": [{"destination": "/d", "type": "bind", "source": "BUNDLE/absolute"}]}`: "mounts[0].source",
		`{"root": {"path": "rootfs"}, "x": "` + strings.Repeat("x", maxConfig) + `"}`:                                  "larger than",
	} {
		p, err := Open(pack(t, config))
		if p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", config, err, want)
		}
	}
}

func TestOpenOfOddPlaces(t *testing.T) {
	if _, err := Open("relative"); err == nil {
		t.Error("a relative path was taken")
	}
	dir := scratch(t)
	if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no config.json: %v", err)
	}
	if _, err := Open(dir + "/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no bundle: %v", err)
	}
	must(t, unix.Mkfifo(dir+"/config.json", 0o600))
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("FIFO: %v", err)
	}
}
