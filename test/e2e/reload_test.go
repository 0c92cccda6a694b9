package e2e

import (
	"testing"
)

// systemctl reload returns the verdict, and only what changed is touched.
func TestReloadByTheUnit(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "reload")
	i.configure(two)
	i.mustStart()
	before, _ := i.states()
	i.configure(serving + `
[gateway.new]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT3"]
ready.probe = "http://127.0.0.1:$PORT3/"
`)
	if err := i.systemctl("reload", i.unit); err != nil {
		t.Fatal(err)
	}
	i.awaitReady("new")
	after, err := i.states()
	if err != nil || after["web"].Pid != before["web"].Pid {
		t.Errorf("web did not change and has pid %d, then %d (%v)", before["web"].Pid, after["web"].Pid, err)
	}
	eventually(t, "nothing of the removed one", func() error { return i.exactly(2) })

	i.configure("[gateway.web]\nrotfs = 1\n")
	if err := i.systemctl("reload", i.unit); err == nil {
		t.Error("a faulty file was taken")
	}
	still, err := i.states()
	if err != nil || still["web"].Pid != before["web"].Pid || still["new"].Pid != after["new"].Pid {
		t.Errorf("a faulty file changed something: %v %+v", err, still)
	}
	eventually(t, "nothing but what is ready", func() error { return i.exactly(2) })
}
