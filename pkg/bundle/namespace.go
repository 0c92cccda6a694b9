package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// A mode such as 0000 keeps even its owner out, but not one with
// CAP_DAC_OVERRIDE over the inode, and root of a user namespace has that over
// inodes whose owner and group are both mapped in it (user_namespaces(7)). So
// an ordinary user can read all its own files without a chmod of the source.
// Files with another group stay closed: nobody may map a group that is not its
// own without newgidmap.

// A verdict is what HelperMain says on its standard output about the copy.
type verdict struct {
	Op, Path string
	Errno    syscall.Errno
	Text     string
}

// HelperMain is the body of the program that CopyOptions.Helper names. It
// copies args[0] to args[1] as the user that it finds itself to be, and writes
// to standard output what Copy has to know. The caller should exit with a code
// other than 0 when it returns an error, and print nothing on standard output.
func HelperMain(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("copy in a user namespace: want a source and a destination, have %d arguments", len(args))
	}
	err := copyTree(ctx, args[0], args[1], nil)
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(verdictOn(err)))
}

func verdictOn(err error) verdict {
	if err == nil {
		return verdict{}
	}
	v := verdict{Text: err.Error()}
	if path := new(fs.PathError); errors.As(err, &path) {
		v.Op, v.Path, v.Text = path.Op, path.Path, path.Err.Error()
	}
	errors.As(err, &v.Errno)
	return v
}

func (v verdict) error() error {
	if v == (verdict{}) {
		return nil
	}
	return &fs.PathError{Op: v.Op, Path: v.Path, Err: foreignError{v.Text, v.Errno}}
}

// A foreignError keeps the words of the process that met it, and its number for
// errors.Is.
type foreignError struct {
	text  string
	errno syscall.Errno
}

func (e foreignError) Error() string { return e.text }

func (e foreignError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// copyInNamespace runs the helper as root of a new user namespace.
func copyInNamespace(ctx context.Context, source, dest string, o CopyOptions) error {
	uid, gid, _ := o.IDs.Root()
	cmd := exec.CommandContext(ctx, o.Helper[0], append(o.Helper[1:len(o.Helper):len(o.Helper)], source, dest)...)
	cmd.Env = []string{} // it needs nothing of ours, and may be asked for nothing by it
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}},
		Setpgid:     true,
		Pdeathsig:   syscall.SIGKILL,
	}
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := runLocked(cmd)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var v verdict
	if json.Unmarshal(out.Bytes(), &v) != nil {
		return fmt.Errorf("read what its owner cannot, in a user namespace: %w: %s", err, lastWords(problem.Bytes()))
	}
	return v.error()
}

// runLocked holds the thread for as long as the command runs: Pdeathsig comes
// when the thread that started a process ends, not when the program does.
func runLocked(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

func lastWords(b []byte) []byte {
	const most = 512
	return bytes.TrimSpace(b[max(0, len(b)-most):])
}
