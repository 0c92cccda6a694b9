package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// Servers that start as root and become their own user, as nginx does, and those
// that are their own user from the start.
func TestRuntimesRunServersWithTheirOwnUser(t *testing.T) {
	for _, runtime := range []string{"youki", "crun", "runc"} {
		t.Run(runtime, func(t *testing.T) {
			path := testenv.Runtime(t, runtime)
			t.Run("becomes another", func(t *testing.T) { runBecoming(t, path, false) })
			t.Run("is another", func(t *testing.T) { runOther(t, path) })
			if runtime != "crun" {
				t.Run("overlay", func(t *testing.T) { runBecoming(t, path, true) })
			}
		})
	}
}

// beServer is such a server: it gives a directory to its user, becomes that
// user, and says what it may do then.
func beServer() error {
	say := func(what string, err error) { fmt.Printf("%s: %v\n", what, err) }
	say("remove packaged", os.RemoveAll("/srv/packaged")) // EIO in an overlay without userxattr
	say("mkdir", os.Mkdir("/srv/data", 0o700))
	say("chown", os.Chown("/srv/data", 101, 102))
	say("chown unmapped", os.Chown("/srv/data", 4_000_000, 0))
	say("setgroups", syscall.Setgroups([]int{102, 4}))
	say("setgid", syscall.Setgid(102))
	say("setuid", syscall.Setuid(101))
	say("setuid back", syscall.Setuid(0))
	say("write own", os.WriteFile("/srv/data/file", []byte("x"), 0o600))
	say("write root's", os.WriteFile("/srv/file", []byte("x"), 0o600))
	groups, err := os.Getgroups()
	fmt.Printf("uid %d gid %d groups %v %v\n", os.Getuid(), os.Getgid(), groups, err)
	fmt.Println("end of report")
	_, err = os.ReadFile("/wait")
	return err
}

func severalOf(uid, gid int) IDMap {
	if uid == 0 {
		return IDMap{UIDs: []IDRange{{0, 100000, 65536}}, GIDs: []IDRange{{0, 100000, 65536}}}
	}
	return IDMap{
		UIDs: []IDRange{{0, uint32(uid), 1}, {1, 100000, 65535}},
		GIDs: []IDRange{{0, uint32(gid), 1}, {1, 100000, 65535}},
	}
}

// newServer is a container with several ids. As a user its create is called in a
// user namespace that was made before: in those of youki there is no
// setgroups(2).
func newServer(t *testing.T, runtime string) *container {
	t.Helper()
	c := newContainer(t, runtime)
	ids := severalOf(os.Getuid(), os.Getgid())
	uid, gid, _ := ids.Root()
	c.plan.IDs, c.plan.Network, c.plan.Args = ids, NetworkHost, []string{"/bundle.test", roleServer}
	must(t, os.MkdirAll(c.plan.Rootfs+"/srv/packaged", 0o755), os.WriteFile(c.plan.Rootfs+"/srv/packaged/file", nil, 0o644))
	installItself(t, c.plan.Rootfs)
	for _, path := range []string{c.plan.Rootfs, c.plan.Rootfs + "/tmp", c.plan.Rootfs + "/srv", c.plan.Rootfs + "/srv/packaged", c.plan.Rootfs + "/srv/packaged/file"} {
		must(t, os.Chown(path, uid, gid))
	}
	if os.Getuid() != 0 {
		c.hold(ids)
	}
	return c
}

func (c *container) hold(ids IDMap) {
	c.t.Helper()
	n, err := HoldNamespace(context.Background(), helperOptions().Helper, ids)
	if errors.Is(err, ErrNoRange) {
		testenv.Skip(c.t, fmt.Sprintf("needs ids 100000 to 165534 for the user: %v", err))
	}
	must(c.t, err)
	c.namespace, c.plan.InNamespace = n, true
	c.t.Cleanup(func() {
		o := RemoveOptions{IDs: ids, Helper: helperOptions().Helper}
		must(c.t, Remove(context.Background(), c.dir, c.plan.ID, o), Remove(context.Background(), c.dir, "overlay", o))
		must(c.t, n.Close())
	})
}

func runBecoming(t *testing.T, runtime string, overlay bool) {
	c := newServer(t, runtime)
	tree := c.plan.Rootfs
	before := describe(t, tree)
	if overlay {
		o, err := MakeOverlay(filepath.Join(c.dir, "overlay"), c.plan.Rootfs, c.plan.IDs)
		must(t, err)
		c.plan.Overlay, tree = &o, o.Upper
	}
	report, status := c.run(nil)
	wantLines(t, report, "remove packaged: <nil>", "mkdir: <nil>", "chown: <nil>", "chown unmapped: chown /srv/data: invalid argument", "setgroups: <nil>", "setgid: <nil>", "setuid: <nil>",
		"setuid back: operation not permitted", "write own: <nil>", "write root's: open /srv/file: permission denied", "uid 101 gid 102 groups [4 102] <nil>")
	if status["CapEff"] != "0000000000000000" || status["CapPrm"] != status["CapEff"] || status["CapBnd"] != "00000000000000eb" || status["NoNewPrivs"] != "1" || status["Seccomp"] != "2" {
		t.Errorf("status %v", status)
	}
	var st unix.Stat_t
	uid, _ := toHost(c.plan.IDs.UIDs, 101)
	gid, _ := toHost(c.plan.IDs.GIDs, 102)
	if err := unix.Stat(tree+"/srv/data", &st); err != nil || st.Uid != uid || st.Gid != gid {
		t.Errorf("/srv/data belongs to %d:%d on the host, want %d:%d, %v", st.Uid, st.Gid, uid, gid, err)
	}
	c.delete()
	if overlay {
		sameTree(t, before, describe(t, c.plan.Rootfs))
	}
}

func runOther(t *testing.T, runtime string) {
	c := newServer(t, runtime)
	report, status := c.run(&specs.Spec{Process: &specs.Process{User: specs.User{UID: 101, GID: 102, AdditionalGids: []uint32{4}}}})
	wantLines(t, report, "chown: chown /srv/data: no such file or directory", "setgroups: operation not permitted", "uid 101 gid 102 groups [4] <nil>")
	hardened(t, status)
	if fields := strings.Fields(status["Uid"]); len(fields) == 0 || fields[0] == "0" {
		t.Errorf("uid %v", fields)
	}
}
