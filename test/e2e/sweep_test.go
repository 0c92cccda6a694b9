package e2e

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// What no sweep can remove, such as a mount that somebody left in a tree, is
// shown in status until a later start could remove it.
func TestStatusShowsWhatTheSweepLeft(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(serving)
	rootfs := filepath.Join(i.state, "rootfs")
	mounted := filepath.Join(rootfs, "web-1-aaaaaaaaaa", "mnt")
	aside := filepath.Join(rootfs, bundle.RemovingPrefix+"web-1-aaaaaaaaaa", "mnt") // where it went with its tree
	mustMkdir(t, mounted, 0o755)
	if err := syscall.Mount("none", mounted, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(mounted, syscall.MNT_DETACH)
		_ = syscall.Unmount(aside, syscall.MNT_DETACH)
	})
	i.mustStart()
	if err := errors.Join(
		contains(i.must("status"), "left by an earlier gatewayd"), contains(i.must("status"), "not cleaned: sweep web-1-aaaaaaaaaa"),
		contains(i.must("status", "--json"), `"leftovers": [`),
	); err != nil {
		t.Error(err)
	}
	i.mustStop()
	if err := syscall.Unmount(aside, 0); err != nil {
		t.Fatal(err)
	}
	i.mustStart()
	if out := i.must("status"); strings.Contains(out, "left by") {
		t.Errorf("the sweep of a later start has left something, too:\n%s", out)
	}
	i.mustStop()
	i.mustBeNothing()
}
