package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// awaitMapping is the argument of a helper that is not mapped yet.
const awaitMapping = "await-mapping"

// line is the descriptor by which such a helper and its parent talk.
const line = 3

const (
	maxAnswer   = 16 << 20         // bytes of what a helper may answer
	pipeTimeout = 10 * time.Second // for what a killed helper leaves behind that holds its output open
)

var errNoHelper = errors.New("work in a user namespace: no program to do it")

// A namespace is where a helper runs.
type namespace struct {
	helper []string
	ids    IDMap
	tools  []string // directories in which newuidmap and newgidmap are
}

// run has the helper answer what it reads from in.
func (n namespace) run(ctx context.Context, in io.Reader) (io.Reader, error) {
	if len(n.helper) == 0 {
		return nil, errNoHelper
	}
	out, problem := bounded{most: maxAnswer}, bounded{most: maxAnswer}
	cmd := exec.CommandContext(ctx, n.helper[0], n.helper[1:]...)
	cmd.Env = []string{} // it needs nothing of ours, and may be asked for nothing by it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &problem
	cmd.WaitDelay = pipeTimeout
	err := n.runLocked(ctx, cmd)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case out.full:
		return nil, fmt.Errorf("work in a user namespace: %w: an answer of more than %d bytes", ErrTooLarge, maxAnswer)
	case err != nil:
		return nil, fmt.Errorf("work in a user namespace: %w%s", err, lastWords(problem.buf.Bytes()))
	}
	return &out.buf, nil
}

// runLocked holds the thread for as long as the command runs: Pdeathsig comes
// when the thread that started a process ends, not when the program does.
func (n namespace) runLocked(ctx context.Context, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, Setpgid: true, Pdeathsig: syscall.SIGKILL,
	}
	if os.Geteuid() != 0 && (!n.ids.Single() || !dumpable()) {
		return n.runMappedLater(ctx, cmd)
	}
	// One's own id may be mapped by anybody, and any by root
	// (user_namespaces(7)): no program is needed for it.
	cmd.SysProcAttr.UidMappings = sysMappings(n.ids.UIDs)
	cmd.SysProcAttr.GidMappings = sysMappings(n.ids.GIDs)
	// Without setgroups(2), which nobody may who maps his own group, a group
	// could be left that kept him out of a file.
	cmd.SysProcAttr.GidMappingsEnableSetgroups = os.Geteuid() == 0
	cmd.SysProcAttr.Credential = &syscall.Credential{NoSetGroups: os.Geteuid() != 0}
	if err := cmd.Start(); err != nil {
		return forbidden(err)
	}
	return cmd.Wait()
}

// dumpable reports whether the mapping of a child can be written before it has
// executed a program: until then it is as this process is, and the files of a
// process that is not dumpable are root's (PR_SET_DUMPABLE in prctl(2)).
func dumpable() bool {
	is, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	return err == nil && is == 1
}

// runMappedLater starts the helper in a namespace that maps nothing, so that
// there is a process of its own to write the mapping of.
func (n namespace) runMappedLater(ctx context.Context, cmd *exec.Cmd) error {
	ours, err := n.startMapped(ctx, cmd)
	if err != nil {
		return err
	}
	_, err = ours.Write([]byte{1}) // go on
	return errors.Join(err, ours.Close(), cmd.Wait())
}

// startMapped starts cmd, and returns when it is mapped and waits for a byte on
// the other end of ours.
func (n namespace) startMapped(ctx context.Context, cmd *exec.Cmd) (ours *os.File, err error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	cmd.Args = append(cmd.Args, awaitMapping)
	cmd.ExtraFiles = []*os.File{theirs} // becomes line
	err = cmd.Start()
	_ = theirs.Close() // the helper has its own
	if err != nil {
		return nil, errors.Join(forbidden(err), ours.Close())
	}
	step.Done("helper-started")
	if err := n.mapWaiting(ctx, cmd.Process.Pid, ours); err != nil {
		_ = cmd.Process.Kill() // fails where it ended by itself
		return nil, errors.Join(err, quietly(cmd.Wait()), ours.Close())
	}
	return ours, nil
}

// mapWaiting maps the ids of the process pid once it waits for that.
func (n namespace) mapWaiting(ctx context.Context, pid int, ours *os.File) error {
	defer context.AfterFunc(ctx, func() { _ = ours.SetDeadline(time.Unix(0, 1)) })()
	if _, err := ours.Read(make([]byte, 1)); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("wait for it to be there: %w", err)
	}
	return n.mapIDs(ctx, pid)
}

// becomeMapped waits until somebody mapped the ids of this process, and
// executes it once more, as 0:0: it is then that it gains its capabilities in
// the namespace.
func becomeMapped() error {
	unix.CloseOnExec(line)
	parent := os.NewFile(line, "parent")
	if _, err := parent.Write([]byte{1}); err != nil {
		return err
	}
	if _, err := parent.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for ids: %w", err)
	}
	if err := errors.Join(syscall.Setresgid(0, 0, 0), syscall.Setresuid(0, 0, 0)); err != nil {
		return fmt.Errorf("become 0:0: %w", err)
	}
	argv := os.Args[:len(os.Args)-1]
	return os.NewSyscallError("execve", syscall.Exec("/proc/self/exe", argv, nil))
}

func socketPair() (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	err = unix.SetNonblock(pair[0], true) // a read of ours ends with the context
	return os.NewFile(uintptr(pair[0]), "helper"), os.NewFile(uintptr(pair[1]), "parent"), err
}

func sysMappings(ranges []IDRange) []syscall.SysProcIDMap {
	mappings := make([]syscall.SysProcIDMap, len(ranges))
	for i, r := range ranges {
		mappings[i] = syscall.SysProcIDMap{ContainerID: int(r.Container), HostID: int(r.Host), Size: int(r.Size)}
	}
	return mappings
}

// quietly drops that a process was killed which we killed.
func quietly(err error) error {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

// A bounded buffer takes so many bytes and no more: who writes on gets SIGPIPE.
// It is no bytes.Buffer with a limit, which io.Copy would fill past its Write.
type bounded struct {
	buf  bytes.Buffer
	most int
	full bool // somebody wanted to write more
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.most {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.buf.Write(p)
}

func lastWords(b []byte) string {
	const most = 512
	b = bytes.TrimSpace(b[max(0, len(b)-most):])
	if len(b) == 0 {
		return ""
	}
	return ": " + string(b)
}
