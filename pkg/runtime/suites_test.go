package runtime

import (
	"os"
	"strconv"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestFake(t *testing.T)  { suite(t, self(t)) }
func TestYouki(t *testing.T) { suite(t, testenv.Runtime(t, "youki")) }
func TestRunc(t *testing.T)  { suite(t, testenv.Runtime(t, "runc")) }

func TestCrun(t *testing.T) {
	path := testenv.Runtime(t, "crun")
	if _, err := os.Stat("/sys/fs/cgroup/unified/cgroup.controllers"); err == nil {
		t.Run("says that it refuses hybrid cgroups", func(t *testing.T) { suiteRefusedCreate(t, open(t, path, 0)) })
		return
	}
	suite(t, path)
}

// self is the path of the test binary, which Find would trust.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}
