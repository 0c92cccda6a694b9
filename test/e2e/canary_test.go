package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// caged has a secret as a file, and another in a variable.
const caged = `
log_level = "debug"
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "50ms"
standby = "created"
[[gateway.web.secret]]
name = "file"
source = "file:$DIR/file"
[[gateway.web.secret]]
name = "variable"
source = "env:E2E_CANARY"
as = "env:CANARY"
`

// cage prepares an instance with two canaries, which look different in each
// encoding.
func cage(t *testing.T, name string) (*instance, *flock) {
	t.Helper()
	i := newInstance(t, name)
	file := fmt.Sprintf(`f1le+"<c4n&ry>\ %016x`, rand.Uint64())
	variable := fmt.Sprintf("v4ri%%able=é=%016x", rand.Uint64())
	if err := os.WriteFile(filepath.Join(i.dir, "file"), []byte(file+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.environment("E2E_CANARY=" + variable)
	i.configure(caged)
	i.mustStart()
	return i, &flock{birds: []bird{newBird(file), newBird(variable)}}
}

// look searches whatever the instance shows and keeps, once its programs run: of a
// standby that is being created there is a config.json for some milliseconds.
func (f *flock) look(i *instance) {
	i.t.Helper()
	i.await("web", "ready with a standby", func(s state) bool { return s.Phase == "ready" && s.Standby.State == "created" })
	f.files(i.t, i.run)
	f.files(i.t, i.state)
	f.processes(i)
	f.journal(i)
	f.hunt("StatusText", []byte(i.property("StatusText")))
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"history", "web"}, {"history", "web", "--json"}, {"check"}} {
		f.ask(i, args...)
	}
	cores, _ := exec.Command("find", i.dir, i.run, "/var/lib/systemd/coredump", "-name", "core*", "-type", "f").Output()
	for path := range strings.Lines(string(cores)) {
		f.found = append(f.found, "core dump "+path)
	}
}

// ask searches the answer to a command, whether that succeeds or not.
func (f *flock) ask(i *instance, args ...string) {
	stdout, stderr, _ := i.gatewayd(args...)
	f.hunt("answer to "+strings.Join(args, " "), []byte(stdout+stderr))
}

func (f *flock) mustBeHidden(t *testing.T) {
	t.Helper()
	for _, found := range f.found {
		t.Errorf("a canary sings: %s", found)
	}
}

// A day in the life of a gateway with secrets that prints them, crashes, is
// deployed, fails to be staged, and whose gatewayd is killed: they are nowhere
// but with the program.
func TestCanary(t *testing.T) {
	t.Parallel()
	i, f := cage(t, "canary")
	i.leak()
	f.look(i)

	i.complain(f)
	i.crash(f)
	i.failStaging(f)
	for range longer(3, 30) {
		f.watch(i, func() {
			_ = kill(i.mainPid(), []syscall.Signal{syscall.SIGKILL, syscall.SIGABRT}[rand.IntN(2)])
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // a moment, not a wait for anything
			_ = kill(i.mainPid(), syscall.SIGKILL)
			i.awaitReady("web")
		})
		f.look(i)
	}
	f.ask(i, "reexec")
	i.leak()
	f.ask(i, "restart", "web")
	f.look(i)
	i.mustStop()
	f.files(t, i.run)
	f.files(t, i.state)
	f.journal(i)
	f.mustBeHidden(t)
}

// leak has the program print the secrets, and waits until all of it is in the
// journal.
func (i *instance) leak() {
	i.t.Helper()
	before := len(i.records("MESSAGE=leaked"))
	s := i.awaitReady("web")
	for n, c := range []string{"/run/secrets/file", "env:CANARY"} {
		i.tell("PORT", "leak="+c) // one after the other: they write to the same pipes
		eventually(i.t, "what is printed", func() error {
			if all := len(i.records("MESSAGE=leaked")); all != before+n+1 {
				return fmt.Errorf("%d, not %d", all, before+n+1)
			}
			return nil
		})
	}
	marks := 0
	for _, r := range i.records("GATEWAY=web", fmt.Sprint("LAUNCH=", s.Launch)) {
		marks += strings.Count(r.message(), "[redacted web/")
	}
	if marks < 48 {
		i.t.Errorf("%d values were hidden, not 48: was all of it printed?", marks)
	}
}

// complain has the probes fail with the secret in the answer, until the gateway is
// restarted for it.
func (i *instance) complain(f *flock) {
	i.t.Helper()
	s := i.awaitReady("web")
	i.tell("PORT", "complain=/run/secrets/file")
	f.watch(i, func() { i.awaitLaunch("web", s.Launch) })
	i.awaitRecord("the complaint", func(r record) bool {
		return strings.Contains(r.message(), "I am sick") && strings.Contains(r.message(), "[redacted web/file]")
	})
	f.look(i)
}

func (i *instance) crash(f *flock) {
	i.t.Helper()
	s := i.awaitReady("web")
	f.watch(i, func() {
		i.tell("PORT", "die=SEGV")
		i.awaitLaunch("web", s.Launch)
	})
	f.look(i)
}

// failStaging deploys a tree that is refused for an entry that is called as the
// secret is.
func (i *instance) failStaging(f *flock) {
	i.t.Helper()
	tree := i.version("refused")
	if err := syscall.Mkfifo(filepath.Join(tree, f.birds[0].value), 0o600); err != nil {
		i.t.Fatal(err)
	}
	_, stderr, code := i.gatewayd("deploy", "web", "--rootfs", tree)
	if code == 0 || !strings.Contains(stderr, "[redacted web/file]") {
		i.t.Errorf("deploy: exit code %d: %s", code, stderr)
	}
	f.hunt("answer to deploy", []byte(stderr))
	f.look(i)
}

// watch searches the processes for as long as do takes.
func (f *flock) watch(i *instance, do func()) {
	done, watched := make(chan struct{}), make(chan struct{})
	seen := &flock{birds: f.birds}
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			default:
				seen.processes(i)
			}
		}
	}()
	do()
	close(done)
	<-watched
	f.found = append(f.found, seen.found...)
}

// A canary that is there is found: in a file in each form, in an environment, a
// command line, the journal and an answer.
func TestCanaryIsFound(t *testing.T) {
	t.Parallel()
	i, f := cage(t, "canary-found")
	c := f.birds[0]
	for how, form := range c.forms {
		mustWrite(t, filepath.Join(i.state, "planted"), "before "+form+" after")
		f.files(t, i.state)
		f.mustHaveFound(t, "planted: "+how)
	}
	mustWrite(t, filepath.Join(i.state, "planted"), "")
	sleeper := exec.Command("/bin/sh", "-c", "sleep 1h; : "+i.run+"/", c.value)
	sleeper.Env = append(os.Environ(), "PLANTED="+f.birds[1].value)
	sleeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-sleeper.Process.Pid, syscall.SIGKILL); _ = sleeper.Wait() }()
	eventually(t, "the sleeper", func() error { return contains(fmt.Sprint(i.all()), "sleep 1h") })
	f.processes(i)
	f.mustHaveFound(t, "cmdline of ", "plain")
	f.mustHaveFound(t, "environ of ", "plain")
	i.tell("PORT", "backwards=/run/secrets/file")
	eventually(t, "what was printed backwards", func() error {
		f.journal(i)
		return contains(strings.Join(f.found, "\n"), "journal MESSAGE: reversed")
	})
	f.found = nil
	f.ask(i, "status", c.value)
	f.mustHaveFound(t, "answer to status", "Go")
}

// mustHaveFound wants one finding with all of these words, and forgets all.
func (f *flock) mustHaveFound(t *testing.T, words ...string) {
	t.Helper()
	for _, found := range f.found {
		all := true
		for _, w := range words {
			all = all && strings.Contains(found, w)
		}
		if all {
			if len(words) == 1 {
				f.found = nil
			}
			return
		}
	}
	t.Errorf("%q is not found, only %q", words, f.found)
}
