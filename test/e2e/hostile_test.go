package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Programs that do what programs should not: none is in the way of another, of
// a restart, of kill -9 of gatewayd or of the stop, and nothing of them is left.
func TestHostilePrograms(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "hostile")
	text, steps := serving, map[string]string{
		"closes": `"close"`, "blob": fmt.Sprintf(`"blob=%d"`, longer(4<<20, 100<<20)),
		"crowd": fmt.Sprintf(`"crowd=%d"`, longer(50, 500)), "buries": `"bury=/dir", "bury=/tmp/dir"`,
		"deaf": `"ignore=TERM", "ignore=HUP", "ignore=INT", "ignore=QUIT"`,
	}
	for name, step := range steps {
		text += fmt.Sprintf("[gateway.%s]\nrootfs = \"$ROOTFS\"\ncommand = [\"/gateway\", %s]\nstop.timeout = \"500ms\"\n", name, step)
	}
	i.configure(text)
	i.mustStart()
	all := len(steps) + 1
	eventually(t, "all", func() error { return i.exactly(all) })
	for name := range steps {
		i.must("restart", name)
	}
	eventually(t, "all, restarted", func() error { return i.exactly(all) })
	_ = kill(i.mainPid(), syscall.SIGKILL)
	eventually(t, "all, after kill -9", func() error { return i.exactly(all) })
	i.mustAsk("PORT", "/")
	i.mustStop()
	i.mustBeNothing()
}

// However often gateways crash, gatewayd holds what it held.
func TestCrashesLeakNoDescriptor(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "leak")
	i.configure(strings.ReplaceAll(two, "ready.interval", `restart = { delay = "1ms", max_delay = "5ms" }`+"\nready.interval"))
	i.mustStart()
	eventually(t, "both", func() error { return i.exactly(2) })
	before := i.descriptors()
	for range longer(15, 200) {
		s := i.awaitReady("web")
		_ = kill(s.Pid, syscall.SIGKILL)
		i.awaitLaunch("web", s.Launch)
	}
	eventually(t, "as many descriptors as before", func() error {
		if now := i.descriptors(); len(now) > len(before) {
			return fmt.Errorf("%d, not %d: %v", len(now), len(before), now)
		}
		return i.exactly(2)
	})
}

func (i *instance) descriptors() (list []string) {
	dir := fmt.Sprintf("/proc/%d/fd", i.mainPid())
	for _, name := range names(dir) {
		target, _ := os.Readlink(filepath.Join(dir, name))
		list = append(list, target)
	}
	return list
}

// Many gateways are as one.
func TestManyGateways(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "many")
	n := longer(15, 200)
	var text strings.Builder
	for k := range n {
		fmt.Fprintf(&text, "[gateway.g%d]\nrootfs = \"$ROOTFS\"\ncommand = [\"/gateway\", \"notify\"]\nready.probe = \"notify\"\n", k)
	}
	i.configure(text.String())
	i.mustStart()
	eventually(t, "all", func() error { return i.exactly(n) })
	_ = kill(i.mainPid(), syscall.SIGKILL)
	eventually(t, "all, after kill -9", func() error { return i.exactly(n) })
	i.mustStop()
	i.mustBeNothing()
}

// Whoever holds all connections of the control socket keeps nothing but
// commands from being answered, and those for as long only.
func TestControlSocketIsHeld(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "held")
	i.configure(serving)
	i.mustStart()
	before := i.awaitReady("web")
	for range 300 {
		c, err := net.Dial("unix", filepath.Join(i.run, "control.sock"))
		if errors.Is(err, syscall.EAGAIN) {
			break // not even the kernel takes more
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	_ = kill(before.Pid, syscall.SIGKILL)
	eventually(t, "the next launch", func() error {
		_, _, err := i.ask("PORT", "/")
		return errors.Join(err, i.gone(before.Pid))
	})
	i.awaitLaunch("web", before.Launch)
	i.mustStop()
	i.mustBeNothing()
}

func (i *instance) gone(pid int) error {
	if err := kill(pid, 0); err == nil {
		return fmt.Errorf("pid %d is there", pid)
	}
	return nil
}

// A source that changes while it is staged is staged as something, or refused
// and tried again; whichever, the launches are whole or gone.
func TestSourceChangesWhileStaged(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "changing")
	i.configure(serving)
	i.mustStart()
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { change(t, filepath.Join(i.values["ROOTFS"], "dir"), stop) })
	for range longer(5, 60) {
		i.gatewayd("restart", "web") // may fail by a file that went away
	}
	close(stop)
	group.Wait()
	i.must("restart", "web")
	eventually(t, "one container", func() error { return i.exactly(1) })
	i.mustStop()
	i.mustBeNothing()
}

func change(t *testing.T, dir string, stop chan struct{}) {
	for k := 0; ; k++ {
		select {
		case <-stop:
			return
		default:
		}
		path := filepath.Join(dir, fmt.Sprint(k%50))
		err := errors.Join(os.MkdirAll(filepath.Join(path, "a/b"), 0o755),
			os.WriteFile(filepath.Join(path, "a/file"), []byte("text"), 0o644),
			os.Rename(path, path+"-moved"), os.RemoveAll(path+"-moved"))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Error(err)
			return
		}
	}
}

// A stop at any moment of a start is a success that leaves nothing.
func TestStopAtAnyMomentOfTheStart(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "start-stop")
	i.configure(two)
	for range longer(8, 150) {
		after := time.Duration(rand.IntN(200)) * time.Millisecond
		if err := i.systemctl("start", "--no-block", i.unit); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after) // a moment, not a wait for anything
		i.mustStop()
		i.mustBeNothing()
		if result := i.property("Result"); result != "success" {
			t.Errorf("stopped after %s the unit ended as %s", after, result)
			_ = i.systemctl("reset-failed", i.unit)
		}
	}
}
