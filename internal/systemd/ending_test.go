package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// A unit that was asked to end and takes no notice is ending; before, it is not.
func TestEnding(t *testing.T) {
	testenv.NeedHost(t)
	testenv.NeedUserManager(t)
	unit := fmt.Sprintf("ending-%d.service", os.Getpid())
	systemctl := func(args ...string) {
		if out, err := exec.Command("systemctl", append([]string{"--user"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("systemctl %v: %v: %s", args, err, out)
		}
	}
	out, err := exec.Command("systemd-run", "--user", "--unit="+unit, "-p", "KillSignal=SIGCONT", "sleep", "1000").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { systemctl("kill", "--signal=KILL", unit) })
	ending := func() bool {
		is, err := Ending(t.Context(), unit, true, os.Environ())
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if ending() {
		t.Error("nobody has asked it to end")
	}
	systemctl("stop", "--no-block", unit)
	for deadline := time.Now().Add(20 * time.Second); !ending(); {
		if time.Now().After(deadline) {
			t.Fatal("it is never ending")
		}
	}
	if is, err := Ending(t.Context(), "nobody-knows-it.service", true, os.Environ()); is || err != nil {
		t.Errorf("a unit that is not there: %v, %v", is, err)
	}
}
