package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A unit that fails without ever having had the lock takes nothing away from
// the gatewayd that has it, and runs in somebody's shell.
func TestUnitBesideAnotherGatewayd(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "beside")
	i.configure(serving)
	outside := exec.Command("systemd-run", "--user", "--scope", "--quiet", "--property=Delegate=yes", "env",
		"GATEWAYD_SCOPE=1", // as if it had made the scope itself, which it cannot without the user's own XDG_RUNTIME_DIR
		"XDG_RUNTIME_DIR="+i.runtime, "XDG_STATE_HOME="+filepath.Join(i.dir, "state"), "GATEWAYD_CONFIG="+i.config, programs.gatewayd, "run")
	var output strings.Builder
	outside.Stdout, outside.Stderr = &output, &output
	if err := outside.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = outside.Process.Kill()
		_ = outside.Wait()
		if t.Failed() {
			t.Logf("gatewayd outside of the unit: %s", &output)
		}
	}()
	i.awaitReady("web")
	mustWrite(t, i.config, "no configuration\n")
	if err := i.start(); err == nil {
		t.Error("the unit starts with a faulty file")
	}
	if s := i.awaitReady("web"); s.Launch != 1 {
		t.Errorf("afterwards it is %+v", s)
	}
	if err := outside.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := outside.Wait(); err != nil {
		t.Errorf("gatewayd outside of the unit: %v", err)
	}
	i.configure(serving)
	i.mustStart()
	i.mustStop()
	i.mustBeNothing()
}
