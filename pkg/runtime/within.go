package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/step"
)

// A runtime that is run by a user makes the container's user namespace itself,
// and youki then forbids setgroups(2) in it for ever (user_namespaces(7)), also
// where newgidmap would have let it be: a server that becomes its own user calls
// that first. So the caller may make the namespace, and have the runtime run in
// it as its root, as podman does. The spec then asks for no user namespace.

// withinName is the file in CreateOptions.Dir by which the runtime is started in
// another user namespace.
const withinName = "within"

// programWithin is the runtime's binary in that program: the last descriptor that
// the language of sh(1) can name everywhere.
const programWithin = 9

// writeWithin writes the program that starts the runtime in the user namespace
// of the process pid, and returns its path. A Go program has too many threads to
// join one itself (setns(2)). It has the runtime's binary as its standard input,
// where nobody else wants one: by /proc/PID/fd of this process it may not open it
// (PR_SET_DUMPABLE in prctl(2)), and from within the namespace it may not at all.
func (r *Runtime) writeWithin(dir string, pid int) (string, error) {
	path := filepath.Join(dir, withinName)
	text := fmt.Sprintf("#!/bin/sh\nexec %[1]d<&0 </dev/null || exit 1\nexec nsenter --user=/proc/%[2]d/ns/user --setuid=0 --setgid=0 -- /proc/self/fd/%[1]d \"$@\"\n",
		programWithin, pid)
	// No fork while it is open for writing: a child that has not come to its
	// execve yet would have it open as well, and ours would fail (ETXTBSY).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		return "", fmt.Errorf("write what runs the runtime in a namespace: %w", err)
	}
	step.Done("within-written")
	return path, nil
}
