package secrets

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is also the process whose environment is wiped, and that is
// guarded: a test that did it to itself would do it to the others.
func TestMain(m *testing.M) {
	if os.Getenv("SECRETS_TEST") != "" {
		syscall.Exit(guarded())
	}
	os.Exit(m.Run())
}

func guarded() int {
	os.Clearenv()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println("began", dumpable, err)
	wiped := WipeEnvironment()
	fmt.Println("wiped", wiped)
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it was looked at
	err = errors.Join(Guard(), Guard(), WipeEnvironment())
	fmt.Println("guarded", err)
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
