package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// command is a gatewayd of the instance's that a test starts by itself.
func (i *instance) command(args ...string) *exec.Cmd {
	command := exec.Command(programs.gatewayd, args...)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+i.runtime, "XDG_STATE_HOME="+filepath.Join(i.dir, "state"))
	return command
}

// becomes waits for the newest revision to be in a state.
func (i *instance) becomes(want string) {
	i.t.Helper()
	eventually(i.t, "the newest revision "+want, func() error {
		all := i.history()
		if last := all[len(all)-1]; last.State != want {
			return fmt.Errorf("revision %s: %s", last.Revision, last.State)
		}
		return nil
	})
}

// Ctrl-C ends the waiting, not the deploy.
func TestInterruptedDeployGoesOn(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-ctrl-c")
	i.configure(listening)
	i.mustStart()
	command := i.command("deploy", "web", "--rootfs", i.version("two"), "--canary", "50%", "--for", "2s")
	var problems bytes.Buffer
	command.Stderr = &problems
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a canary", func() error {
		if table, _, _ := i.gatewayd("status"); !strings.Contains(table, "revision 2 has 50% of new connections") {
			return errors.New(table)
		}
		return nil
	})
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // the exit code is what counts
	if code := command.ProcessState.ExitCode(); code != 1 || !strings.Contains(problems.String(), "goes on") {
		t.Errorf("exit code %d: %s", code, problems.String())
	}
	i.becomes("serving")
	i.mustRun("two")
}

// On a terminal a line shows how far a deploy is, and nothing of it is left.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-tty")
	i.configure(listening)
	i.mustStart()
	command := i.command("deploy", "web", "--canary", "50%", "--for", "2s")
	shown := make(chan string, 1)
	keyboard, screen := terminal(t)
	command.Stderr = screen
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = screen.Close()
	go func() {
		all, _ := io.ReadAll(keyboard) // EIO when the other side is gone
		shown <- string(all)
	}()
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	text := <-shown
	lines := strings.Split(text, "\r\x1b[K")
	if last := lines[len(lines)-1]; !strings.Contains(text, "web: revision 2 has 50% of new connections") || !strings.HasPrefix(last, "web: revision 2 serves, of ") {
		t.Errorf("shown: %q", text)
	}
}

// terminal is a pseudo terminal: what is written to the screen is read from the
// keyboard's side.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, screen
}

// kill -9 of gatewayd at any moment of deploys and rollbacks: nobody is refused,
// one revision serves afterwards, and the history says which.
func TestKilledInTheMiddleOfADeploy(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "dp-killed")
	i.configure(listening)
	i.mustStart()
	versions := []string{i.version("one"), i.version("two"), i.version("three")}
	clients := i.startLoad("PORT")
	for round := range longer(8, 80) {
		args := []string{"deploy", "web", "--rootfs", versions[round%len(versions)]}
		switch round % 4 {
		case 2:
			args = append(args, "--canary", "50%", "--for", "100ms")
		case 3:
			args = []string{"rollback", "web"}
		}
		command := i.command(args...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond) // a moment, not a wait for anything
		i.dies()
		_ = command.Wait() // it may have been in time
		i.awaitReady("web")
		i.servesWhatItSays()
	}
	clients.stop(t, refused, late)
	eventually(t, "one launch", func() error { return i.exactly(1) })
	i.mustStop()
	i.mustBeNothing()
}

// dies is kill -9 of gatewayd; it returns when the next one is up.
func (i *instance) dies() {
	i.t.Helper()
	before := i.mainPid()
	if err := kill(before, syscall.SIGKILL); err != nil {
		i.t.Fatal(err)
	}
	eventually(i.t, "the next gatewayd", func() error {
		if now := i.mainPid(); now == 0 || now == before || i.property("ActiveState") != "active" {
			return fmt.Errorf("main pid %d, before %d", now, before)
		}
		return nil
	})
}

// servesWhatItSays compares the history with what answers.
func (i *instance) servesWhatItSays() {
	i.t.Helper()
	want := ""
	for _, r := range i.history() {
		if r.State == "serving" {
			want = filepath.Base(r.Source)
		}
		if r.State == "under way" {
			i.t.Errorf("%+v after the death of who was at it", r)
		}
	}
	if got := i.runs(); got != want && (want != "rootfs" || got != "as configured") {
		i.t.Errorf("%s serves, and the history says %s", got, want)
	}
}

// A warm standby takes over from a launch that dies, and clients wait for nobody.
func TestWarmStandbyTakesOver(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "sb-warm")
	i.configure(strings.Replace(listening, "deploy.confirm", "standby = \"warm\"\nrestart.reset_after = \"50ms\"\ndeploy.confirm", 1))
	i.mustStart()
	clients := i.startLoad("PORT")
	for range longer(3, 30) {
		before := i.awaitReady("web")
		eventually(t, "a warm standby", func() error {
			if table, _, _ := i.gatewayd("status"); !strings.Contains(table, "standby: warm, launch ") || !strings.Contains(table, " frozen for ") {
				return errors.New(table)
			}
			return nil
		})
		if err := kill(before.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		i.awaitLaunch("web", before.Launch)
	}
	clients.stop(t, refused, late)
	i.mustStop()
	i.mustBeNothing()
}
