package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// An overlay is mounted by real runtimes. crun 1.8 cannot, and has to say so.
func TestRuntimesMountTheOverlay(t *testing.T) {
	for _, runtime := range []string{"youki", "runc"} {
		t.Run(runtime, func(t *testing.T) {
			path := testenv.Runtime(t, runtime)
			for name, odd := range map[string][2]string{
				"plain":    {"lower", "overlay"},
				"odd":      {`lo:w,e\r ` + "\n\xff" + strings.Repeat("x", 200) + "/" + strings.Repeat("y", 250), `o:v,e\r 'l"ay`},
				"readonly": {"lower", "overlay"},
			} {
				t.Run(name, func(t *testing.T) { runOverlay(t, path, odd[0], odd[1], name == "readonly") })
			}
			t.Run("wrecked", func(t *testing.T) { runWreck(t, path) })
		})
	}
	t.Run("crun", func(t *testing.T) {
		c := newContainer(t, testenv.Runtime(t, "crun"))
		o, err := MakeOverlay(filepath.Join(c.dir, "overlay"), c.plan.Rootfs, c.plan.IDs)
		must(t, err)
		c.plan.Overlay, c.plan.Network = &o, NetworkHost
		spec, err := c.plan.Spec(nil)
		must(t, err)
		must(t, os.Mkdir(filepath.Join(c.dir, "bundle"), 0o700), WriteConfig(filepath.Join(c.dir, "bundle"), spec))
		err = c.call("create", "--bundle", filepath.Join(c.dir, "bundle"), c.plan.ID)
		c.delete()
		if err == nil || !strings.Contains(err.Error(), "overlay") {
			t.Errorf("error %v", err)
		}
	})
}

// A random tree in a real container, with each kind of harm done to it.
func runWreck(t *testing.T, runtime string) {
	c := newContainer(t, runtime)
	tree := filepath.Join(c.plan.Rootfs, "tree")
	must(t, os.Mkdir(tree, 0o755))
	rapid.Custom(func(t *rapid.T) int { grow(t, tree); return 0 }).Example()
	installItself(t, c.plan.Rootfs)
	uid, gid, _ := c.plan.IDs.Root()
	must(t, filepath.WalkDir(c.plan.Rootfs, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Lchown(path, uid, gid)) }))
	var harm []wreckage
	for kind := range wrecks {
		harm = append(harm, wreckage{kind, kind, kind + 1})
	}
	does, err := json.Marshal(harm)
	must(t, err)
	before := describe(t, c.plan.Rootfs)
	inside := describe(t, tree)
	o, err := MakeOverlay(filepath.Join(c.dir, "overlay"), c.plan.Rootfs, c.plan.IDs)
	must(t, err)
	c.plan.Overlay, c.plan.Network, c.plan.Args = &o, NetworkNone, []string{"/bundle.test", roleWreck, "/tree", string(does)}
	report, _ := c.run(nil)
	seen, done := found(t, report)
	sameTree(t, inside, seen)
	if done == 0 {
		t.Errorf("no harm was done: %s", report)
	}
	c.delete()
	sameTree(t, before, describe(t, c.plan.Rootfs))
	must(t, Remove(context.Background(), c.dir, "overlay", RemoveOptions{}))
	if _, err := os.Lstat(filepath.Join(c.dir, "overlay")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the overlay is left: %v", err)
	}
}

const overlayPayload = `
if { echo x > /written; } 2> /dev/null; then echo "write /written: true"; else echo "write /written: false"; fi
if { echo x > /dir/file; } 2> /dev/null; then echo "write /dir/file: true"; else echo "write /dir/file: false"; fi
read -r line < /etc/hosts && echo "read /etc/hosts: true"
while read -r a b c root target options rest; do
	case $target in /) echo "root $options $rest" ;; esac
done < /proc/self/mountinfo
echo "end of report"
read -r line < /wait
`

func runOverlay(t *testing.T, runtime, lower, overlay string, readOnly bool) {
	c := newContainer(t, runtime)
	source := filepath.Join(c.dir, lower)
	must(t, os.MkdirAll(filepath.Dir(source), 0o755), os.Rename(c.plan.Rootfs, source), os.Mkdir(source+"/dir", 0o755), os.Mkdir(source+"/etc", 0o755),
		os.WriteFile(source+"/dir/file", []byte("packaged"), 0o644), os.WriteFile(source+"/payload", []byte(overlayPayload), 0o644))
	uid, gid, _ := c.plan.IDs.Root()
	must(t, os.Chown(source+"/dir", uid, gid), os.Chown(source+"/dir/file", uid, gid), os.Chown(source+"/etc", uid, gid))
	before := describe(t, source)
	o, err := MakeOverlay(filepath.Join(c.dir, overlay), source, c.plan.IDs)
	must(t, err)
	c.plan.Overlay, c.plan.Rootfs, c.plan.ReadOnly, c.plan.Network = &o, "", readOnly, NetworkHost
	report, status := c.run(nil)
	wantLines(t, report, fmt.Sprintf("write /written: %t", !readOnly), fmt.Sprintf("write /dir/file: %t", !readOnly), "read /etc/hosts: true")
	hardened(t, status)
	sameTree(t, before, describe(t, source))
	c.delete()
	must(t, Remove(context.Background(), c.dir, overlay, RemoveOptions{}))
}

// delete tries again: where cgroup v1 is mounted youki gives up on a cgroup
// whose process somebody else has yet to reap.
func (c *container) delete() {
	c.t.Helper()
	var err error
	for range 5 {
		if err = c.call("delete", "--force", c.plan.ID); err == nil {
			return
		}
	}
	c.t.Error(err)
}
