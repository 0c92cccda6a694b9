package supervisor

import (
	"errors"
	"slices"
	"syscall"
	"testing"
)

func TestExitCause(t *testing.T) {
	for _, row := range []struct {
		exit Exit
		want string // "": a success
	}{
		{Exit{}, ""},
		{Exit{Detail: "words alone are no failure"}, ""},
		{Exit{Code: 3}, "exited with code 3"},
		{Exit{Code: 137}, "exited with code 137"}, // a code is a code, whatever shells make of it
		{Exit{Signal: syscall.SIGKILL}, "ended by signal 9 (killed)"},
		{Exit{Signal: syscall.SIGKILL, OOM: true}, "killed by the kernel: out of memory"},
		{Exit{Code: 1, Detail: "no such file"}, "exited with code 1: no such file"},
	} {
		cause := row.exit.Cause()
		if (cause == nil) != (row.want == "") || cause != nil && cause.Error() != row.want {
			t.Errorf("%+v: %v, want %q", row.exit, cause, row.want)
		}
		var exit *ExitError
		if cause != nil && (!errors.As(cause, &exit) || exit.Code != row.exit.Code || exit.Signal != row.exit.Signal) {
			t.Errorf("%+v: %#v", row.exit, cause)
		}
	}
}

// What the Launcher has ended did not fail by itself, and did not succeed either.
func TestExitOfWhatTheLauncherEnded(t *testing.T) {
	lost := errors.New("its socket is lost")
	if cause := (Exit{Err: lost}).Cause(); !errors.Is(cause, lost) {
		t.Error(cause)
	}
}

// A phase that is not listed is none to who counts them, and cannot be handed over.
func TestPhasesAreComplete(t *testing.T) {
	names := constantsOf(t, "status.go")
	for _, name := range names {
		if !slices.Contains(Phases(), Phase(name)) && !slices.Contains([]DeployStage{DeployWaiting, DeployPreparing, DeployStarting, DeployInCanary}, DeployStage(name)) {
			t.Errorf("%s is not in Phases", name)
		}
	}
}

// A kind that is not listed would reach the journal without a message id.
func TestEventKindsAreComplete(t *testing.T) {
	kinds := EventKinds()
	for _, name := range constantsOf(t, "event.go") {
		if !slices.Contains(kinds, EventKind(name)) {
			t.Errorf("%s is not in EventKinds", name)
		}
	}
	if len(constantsOf(t, "event.go")) != len(kinds) {
		t.Error("EventKinds lists something twice, or something that is not there")
	}
}
