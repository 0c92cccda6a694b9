package e2e

import (
	"os/exec"
	"testing"
)

// journald are the units of the journal: while a socket listens, a record starts it.
var journald = []string{"systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket", "systemd-journald.service"}

// withoutJournal calls f while there is no journald.
func withoutJournal(t *testing.T, f func()) {
	t.Helper()
	stopped := false
	does := func(verb string) {
		if out, err := exec.Command("systemctl", append([]string{verb}, journald...)...).CombinedOutput(); err != nil {
			t.Errorf("%s journald: %v %s", verb, err, out)
		}
		stopped = verb == "stop"
	}
	does("stop")
	defer func() {
		if stopped { // f has ended the test
			does("start")
		}
	}()
	f()
	does("start")
}

// A journald that goes takes nobody along, and gets what happened meanwhile when it is
// back.
func TestJournalIsStopped(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(steady)
	i.mustStart()
	before, other := i.awaitReady("web"), i.awaitReady("other")
	withoutJournal(t, func() {
		before.kill(t)
		i.awaitLaunch("web", before.Launch)
	})
	i.awaitRecord("the crash", func(r record) bool { return r.field("LAUNCH") == "1" }, "EVENT=launch-ended", "GATEWAY=web")
	if s := i.awaitReady("other"); s.ID != other.ID {
		t.Errorf("the other one was ended: %+v", s)
	}
	i.mustStop()
	i.mustBeNothing()
}

// A gatewayd that starts without a journald logs to the one that comes later.
func TestStartWithoutAJournal(t *testing.T) {
	i := newSystemInstance(t)
	i.configure(steady)
	withoutJournal(t, i.mustStart)
	i.awaitRecord("the start", func(record) bool { return true }, "EVENT=launch-ready", "GATEWAY=web")
	web := i.awaitReady("web")
	web.kill(t)
	i.awaitRecord("what follows", func(record) bool { return true }, "EVENT=launch-ended", "GATEWAY=web")
	i.must("reexec")
	i.awaitRecord("the next image", func(record) bool { return true }, "EVENT=daemon-reexecuted")
	i.mustStop()
	i.mustBeNothing()
}
