// Package setup_test holds make, and the scripts that it calls, to what the
// README promises of a fresh machine.
package setup_test

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// withoutTools is an environment in which nothing can be built or downloaded.
func withoutTools(home string) []string {
	return []string{"PATH=/usr/bin:/bin", "HOME=" + home, "GOPROXY=off", "CARGO_NET_OFFLINE=true"}
}

func TestInstall(t *testing.T) {
	if _, err := os.Stat("../../bin/man"); err != nil {
		testenv.Skip(t, "needs what make build builds: make build")
	}
	home, dest := t.TempDir(), t.TempDir()
	youki := filepath.Join(home, ".cache/gatewayd/youki-0.7.0/bin/youki")
	write(t, youki, "#!/bin/sh\n")
	for _, c := range []struct {
		name, prefix string
		units        map[string]string
	}{
		{"for all users", "/usr/local", map[string]string{
			"/usr/local/lib/systemd/user/gatewayd.service":   "ExecStart=/usr/local/bin/gatewayd run",
			"/usr/local/lib/systemd/system/gatewayd.service": "ExecStart=/usr/local/bin/gatewayd run",
		}},
		{"for one user", home + "/.local", map[string]string{
			home + "/.local/share/systemd/user/gatewayd.service": "ExecStart=" + home + "/.local/bin/gatewayd run",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := exec.Command("make", "-C", "../..", "install", "PREFIX="+c.prefix, "DESTDIR="+dest)
			command.Env = withoutTools(home)
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "loginctl enable-linger") {
				t.Fatalf("make install: %v\n%s", err, out)
			}
			for path, line := range c.units {
				if text := read(t, dest+path); !strings.Contains(text, "\n"+line+"\n") || strings.Contains(text, "@") {
					t.Errorf("%s: want %s in\n%s", path, line, text)
				}
			}
			want := []string{
				"bin/gatewayd", "libexec/gatewayd/youki", "share/doc/gatewayd/gatewayd.toml", "share/man/man1/gatewayd.1",
				"share/bash-completion/completions/gatewayd", "share/zsh/site-functions/_gatewayd",
				"share/fish/vendor_completions.d/gatewayd.fish",
			}
			for _, path := range want {
				if info, err := os.Stat(filepath.Join(dest+c.prefix, path)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", path, err)
				}
			}
			if got, wanted := units(t, dest+c.prefix), len(c.units); got != wanted {
				t.Errorf("got %d units, want %d", got, wanted)
			}
		})
	}
}

func TestBuildIsStaticAndNamesNoPath(t *testing.T) {
	const path = "../../bin/gatewayd"
	binary, err := elf.Open(path)
	if err != nil {
		testenv.Skip(t, "needs what make build builds: make build")
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("gatewayd wants a dynamic linker, and a container may have none")
		}
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(read(t, path), checkout+"/") {
		t.Errorf("the path of the checkout, %s, is in gatewayd", checkout)
	}
}

// What setup says where things are missing: one line each, naming the remedy.
func TestSetupSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name  string
		tools map[string]string // name → script
		fails bool
		says  []string
	}{
		{"no Go", nil, true, []string{"setup: gatewayd is built with Go, which is missing: get 1.26 or later from https://go.dev/dl"}},
		{"no Rust, but crun", map[string]string{"go": "", "crun": ""}, false, []string{
			"setup: youki 0.7.0 is built by cargo, which is missing: install Rust 1.88 or later from https://rustup.rs (Debian's is too old)",
			"setup: going on without youki, with BIN/crun",
		}},
		{"an old Rust", map[string]string{"go": "", "crun": "", "cargo": "", "rustc": "echo rustc 1.63.0"}, false, []string{
			"setup: youki 0.7.0 needs Rust 1.88, and rustc here is 1.63.0: get a newer one from https://rustup.rs",
			"setup: going on without youki, with BIN/crun",
		}},
		{"nothing at all", map[string]string{"go": ""}, true, []string{
			"setup: youki 0.7.0 is built by cargo, which is missing: install Rust 1.88 or later from https://rustup.rs (Debian's is too old)",
			"setup: no runtime: neither youki nor crun nor runc; apt-get install crun would do for a start",
		}},
		{"an old youki", map[string]string{"go": "", "crun": "", "youki": "echo youki version: 0.5.7"}, false, []string{
			"setup: youki 0.7.0 is built by cargo, which is missing: install Rust 1.88 or later from https://rustup.rs (Debian's is too old)",
			"setup: going on without youki, with BIN/crun",
		}},
		{"a good youki", map[string]string{"go": "", "youki": "echo youki version: 0.7.1"}, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin := toolbox(t, c.tools)
			command := exec.Command("/bin/bash", "../../scripts/setup", "run")
			command.Env = []string{"PATH=" + bin, "SYSTEM_PATH=" + bin, "HOME=" + t.TempDir(), "PREFIX=" + t.TempDir()}
			out, err := command.CombinedOutput()
			if (err != nil) != c.fails {
				t.Errorf("got error %v\n%s", err, out)
			}
			var want string
			for _, line := range c.says {
				want += strings.ReplaceAll(line, "BIN", bin) + "\n"
			}
			if diff := cmp.Diff(want, string(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// toolbox is a directory with the few programs that setup itself uses, and the
// scripts given.
func toolbox(t *testing.T, tools map[string]string) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"bash", "cut", "head", "id", "sed", "sort", "tr"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range tools {
		write(t, filepath.Join(bin, name), "#!/bin/bash\n"+script+"\n")
	}
	return bin
}

func units(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".service") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
