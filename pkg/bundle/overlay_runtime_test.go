package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		})
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
