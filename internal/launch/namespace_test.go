package launch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The mounts of a program that works outlast it, and are gone when it is cleaned.
func suiteNamespace(t *testing.T, b *bench) {
	g := b.gateway("echo ready; exec sleep 1000")
	g.Ready.Probe = execProbe("/bin/true")
	r := b.startReady(g)
	must(t, r.Probe(t.Context(), r.n))
	mounts, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", r.pid()))
	must(t, err)
	held := func() bool {
		return slices.ContainsFunc(descriptors(t), func(d string) bool { return strings.HasSuffix(d, mounts) })
	}
	must(t, syscall.Kill(r.pid(), syscall.SIGKILL))
	r.exit()
	if !held() {
		t.Errorf("%s has gone with the program", mounts)
	}
	if r.clean(); held() {
		t.Errorf("%s is held by %q", mounts, descriptors(t))
	}
}
