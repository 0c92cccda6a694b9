package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A start that fails is tried again by systemd, and not in a busy loop.
func TestFailedStartsAreFewAndFarBetween(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*testing.T, *instance){
		"again-absent": func(_ *testing.T, i *instance) { i.configure(absent) },
		"again-locked": func(t *testing.T, i *instance) { i.configure(serving); i.holdLock(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, name)
			fail(t, i)
			go func() { _ = i.start() }()
			// The restarts in a time are what is asked for.
			time.Sleep(5 * time.Second)
			if restarts, err := strconv.Atoi(i.property("NRestarts")); err != nil || restarts > 6 {
				t.Errorf("%d restarts in 5 s (%v)", restarts, err)
			}
			began := time.Now()
			i.mustStop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the stop took %s", took)
			}
		})
	}
}

const absent = `
[gateway.absent]
rootfs = "$DIR/absent"
command = ["/gateway"]
`

// holdLock does what another gatewayd on the same directories would.
func (i *instance) holdLock(t *testing.T) {
	mustMkdir(t, i.run, 0o700)
	lock, err := os.OpenFile(filepath.Join(i.run, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

// A runtime that is too slow to say its version is no fault of the
// configuration, which would not be tried again.
func TestSlowRuntimeIsTriedAgain(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "slow-version")
	i.disobedient(serving)
	i.order("--version -- hang")
	err := i.start()
	if err == nil {
		t.Fatal("the start has worked")
	}
	if code := i.property("ExecMainStatus"); code == "78" {
		t.Errorf("exit code %s", code)
	}
	i.order()
	eventually(t, "the unit", func() error {
		if state := i.property("ActiveState"); state != "active" {
			return fmt.Errorf("it is %s", state)
		}
		return i.exactly(1)
	})
}

// A gateway that ended by its own policy, even before it was ready, has had its
// run: the unit stays, and says so.
func TestNeverIsOnce(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "never")
	i.configure(`
[gateway.once]
rootfs = "$ROOTFS"
command = ["/gateway", "out=I ran", "exit=3"]
restart.policy = "never"
ready.probe = "notify"
`)
	i.mustStart()
	status := i.property("StatusText")
	for _, want := range []string{"once ended", "code 3"} {
		if err := contains(status, want); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(2 * time.Second) // for another run to come
	ran := 0
	for _, r := range i.records("GATEWAY=once", "STREAM=stdout") {
		ran += strings.Count(r.message(), "I ran")
	}
	if state, restarts := i.property("ActiveState"), i.property("NRestarts"); ran != 1 || state != "active" || restarts != "0" {
		t.Errorf("it ran %d times, the unit is %s and had %s restarts", ran, state, restarts)
	}
	i.mustStop()
	i.mustBeNothing()
}
