package programs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// program is one example of configs/: NAME.toml, and what that mounts.
type program struct {
	name   string
	mounts string // the file of configs/ that NAME.toml mounts; empty: none
	tree   string // of trees/; empty: gatewayd's own binary, which is the example gateway
	says   string // what / is answered with
	breaks string // what, appended to the mounted file, the program does not start with
}

var programs = []program{
	{"go", "", "", "example gateway on web", ""},
	{"nginx", "nginx.conf", "nginx", "nginx", "nonsense;"},
	{"haproxy", "haproxy.cfg", "haproxy", "haproxy", "nonsense"},
	{"caddy", "Caddyfile", "caddy", "caddy", "nonsense {"},
	{"python", "python.py", "python3", "python", "nonsense("},
}

func TestStartCrashDeploy(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, p)
			i.start()
			i.answers(p.says)
			for range 2 {
				next := i.kill()
				i.answers(p.says)
				if got := i.launch(); next != 0 && got != next {
					t.Errorf("launch %d took over, not the standby %d", got, next)
				}
			}
			i.ready()
			underLoad(t, i.address, func() {
				for range 3 {
					i.deploy()
				}
			})
			i.answers(p.says)
			i.stop()
		})
	}
}

// A configuration that its program refuses is found before anything has changed.
func TestDeployOfABrokenConfiguration(t *testing.T) {
	for _, p := range programs {
		if p.mounts == "" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, p)
			i.start()
			before := i.launch()
			i.appendTo(p.mounts, p.breaks)
			underLoad(t, i.address, func() {
				out, err := i.gatewayd("deploy", i.name, "--wait").CombinedOutput()
				if err == nil || !strings.Contains(string(out), "exited with code 1; nothing has changed") {
					t.Errorf("deploy says %q, %v", out, err)
				}
			})
			i.answers(p.says)
			if after := i.launch(); after != before {
				t.Errorf("launch %d serves, not %d", after, before)
			}
			i.stop()
		})
	}
}

// underLoad does something while a hundred new clients a second are served, of
// whom none may fail.
func underLoad(t *testing.T, address string, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}), make(chan load.Result, 1)
	go func() {
		ended <- load.Run(ctx, load.Options{Address: address, Fresh: 100, Timeout: patience, Ready: func() { close(begun) }})
	}()
	select {
	case <-begun:
	case <-time.After(patience):
		cancel()
		t.Fatalf("nobody is served: %+v", <-ended)
	}
	do()
	cancel()
	r := (<-ended).Fresh
	if r.Failed() > 0 {
		t.Errorf("%d of %d failed: %+v", r.Failed(), r.Failed()+r.OK, r)
	}
	t.Logf("%d clients, all but %d served", r.OK+r.Failed(), r.Failed())
}

// tree is a copy of the program's tree that this user owns, as an overlay wants it.
func (p program) copyTree(t *testing.T, to string) {
	t.Helper()
	if p.tree == "" {
		data, err := os.ReadFile(installed)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(to, "bin/web"), data, 0o755)
		return
	}
	if err := os.CopyFS(to, os.DirFS(filepath.Join("trees", p.tree))); err != nil {
		t.Fatal(err)
	}
}

// localized is a file of configs/ with paths and port of the test's own, and
// probes that do not keep it waiting.
func (i *instance) localized(file string) []byte {
	data, err := os.ReadFile(filepath.Join("../../configs", file))
	if err != nil {
		i.t.Fatal(err)
	}
	_, port, _ := strings.Cut(i.address, ":")
	return []byte(strings.NewReplacer(
		"/usr/lib/"+i.name+"/rootfs", filepath.Join(i.dir, "rootfs"),
		"/etc/gatewayd/", i.dir+"/",
		"8090", port,
		`canary_for = "1m"`, `canary_for = "1s"`,
		`probe = "http`, `interval = "100ms"`+"\nprobe = \"http",
	).Replace(string(data)))
}
