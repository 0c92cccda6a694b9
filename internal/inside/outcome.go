package inside

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What Init calls itself at its end, when its exit code could be taken for
// either. At most 15 bytes fit (PR_SET_NAME in prctl(2)).
const (
	nameExited = "gatewayd exited"
	nameKilled = "gatewayd killed"
)

// shift is what a signal's number is raised by to make an exit code.
const shift = 128

// maxSignal is the last real-time signal.
const maxSignal = 64

// report turns the program's status into the exit code of its init, and leaves
// beside it what the code alone cannot say.
func report(status unix.WaitStatus) (code int) {
	name := nameExited
	code = status.ExitStatus()
	if status.Signaled() {
		name, code = nameKilled, shift+int(status.Signal())
	}
	// The file, since prctl would name this thread and not the process. It
	// fails without /proc; then a reader falls back on Decode.
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
	return code
}

// Decode turns the exit code of an init into how its program ended: by its own
// code, or by a signal (code is 0 then). A program that exits with 129 to 192
// by itself is taken for one that a signal killed; Outcome can tell.
func Decode(code int) (int, syscall.Signal) {
	if code > shift && code <= shift+maxSignal {
		return 0, syscall.Signal(code - shift)
	}
	return code, 0
}

// Outcome is Decode for the init with that pid on the host, which has exited
// and is not reaped yet: it reads the word that Init left and so knows a code
// from a signal. Where that word cannot be read it is Decode.
func Outcome(pid, code int) (int, syscall.Signal) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err == nil && string(bytes.TrimSpace(comm)) == nameExited {
		return code, 0
	}
	return Decode(code)
}
