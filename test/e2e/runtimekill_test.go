package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runtimeCalls are those by which youki changes something, in each of its
// processes: the call itself, the one between, and the init of the container.
var runtimeCalls = map[string][]string{
	"create": {
		"mkdir", "mkdirat", "openat", "write", "rename", "renameat", "unlink", "unlinkat", "symlinkat", "mknodat", "mount", "umount2", "pivot_root", "fsopen",
		"mount_setattr", "clone", "clone3", "unshare", "setns", "setresuid", "setresgid", "setgroups", "sethostname", "prctl", "capset",
		"socket", "socketpair", "bind", "listen", "sendmsg", "sendto", "recvmsg", "recvfrom", "read", "wait4", "waitid", "dup3", "close", "fchown", "chown",
		"exit_group", "accept4", "fcntl", "seccomp",
	},
	"start":  {"openat", "connect", "sendto", "write", "rename", "read", "exit_group", "flock", "ftruncate", "close"},
	"delete": {"openat", "kill", "pidfd_send_signal", "rmdir", "unlink", "unlinkat", "read", "write", "getdents64", "exit_group"},
}

// fewRuntimeCalls are the points of the short form.
var fewRuntimeCalls = []string{"create mount:3", "create clone3:1", "create sendmsg:1", "start connect:1", "delete unlinkat:1"}

// The runtime is killed in the middle of each call: what it has begun goes, and
// the next launch works.
func TestRuntimeKilledInACall(t *testing.T) {
	needStrace(t)
	t.Parallel()
	if longer(true, false) {
		k := newRuntimeKills(t, "rk")
		for _, point := range fewRuntimeCalls {
			verb, at, _ := strings.Cut(point, " ")
			call, n, _ := strings.Cut(at, ":")
			if k.at(verb, call, n) == "" {
				t.Errorf("youki makes not %s of %s in a %s", n, call, verb)
			}
		}
		return
	}
	for verb, calls := range runtimeCalls {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			newRuntimeKills(t, "rk-"+verb).all(verb, calls)
		})
	}
}

// runtimeKills is an instance whose runtime strace kills.
type runtimeKills struct {
	t     *testing.T
	i     *instance
	slate *slate
	trace string
}

func newRuntimeKills(t *testing.T, name string) *runtimeKills {
	i := newInstance(t, name)
	i.disobedient("log_level = \"debug\"\n" + i.withSecret(strings.Replace(listening, `restart.delay = "50ms"`, `restart = { delay = "50ms", factor = 1.0 }`, 1)))
	i.order()
	i.mustStart()
	return &runtimeKills{t, i, i.newSlate(map[string]string{"web": "PORT"}), filepath.Join(t.TempDir(), "trace")}
}

func (k *runtimeKills) all(verb string, calls []string) {
	kills := 0
	for _, call := range calls {
		var hit []string
		for _, n := range counts {
			if k.at(verb, call, fmt.Sprint(n)) == "" {
				break
			}
			hit = append(hit, fmt.Sprint(n))
		}
		kills += len(hit)
		k.t.Logf("%s: %s hit at %v", verb, call, hit)
	}
	k.t.Logf("%s: %d kills", verb, kills)
}

// at has youki killed at the n-th call of one of its processes, in a restart.
func (k *runtimeKills) at(verb, call, n string) string {
	_ = os.Remove(k.trace)
	mustWrite(k.t, k.trace+".order", fmt.Sprintf("-e trace=?%[1]s -e inject=?%[1]s:signal=KILL:when=%[2]s", call, n))
	k.i.order(verb + " web- inject=" + k.trace)
	before := k.i.awaitReady("web")
	_, _, _ = k.i.gatewayd("restart", "web") // it may be told of the failure
	eventually(k.t, "a call that is traced", func() error {
		_, err := os.Stat(k.trace)
		return err
	})
	k.i.awaitLaunch("web", before.Launch)
	eventually(k.t, "a kill, or the end of what the launch before had", func() error { // the next one does not wait for that
		if hitIn(k.trace) == "" && slices.Contains(k.i.traces().launches, before.ID) {
			return errors.New(before.ID + " is there")
		}
		return nil
	})
	k.i.order()
	letGo(k.i)
	hit := hitIn(k.trace)
	k.slate.awaitClean(fmt.Sprintf("a kill at %s %s of %s (%s)", call, n, verb, hit))
	return hit
}
