package runtime

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Another image of the same process, which has it by execve(2), is the parent of
// the same children. It goes on with the copy of the runtime program, so that an
// upgrade on disk does not change the runtime of a container that exists, and
// with the containers: what a container was made by is not asked.

// File returns the copy of the program, for Regain of another image. The caller
// owes a Close.
func (b Binary) File() (*os.File, error) {
	if b.sealed == nil {
		return nil, fmt.Errorf("hand over runtime %s: it does not come from Find", b.Name)
	}
	file, err := b.sealed.file()
	if err != nil {
		return nil, fmt.Errorf("hand over runtime %s: %w", b.Name, err)
	}
	return file, nil
}

// Regain makes b, as another image has found it, usable by the copy of the
// program, which is closed. One that somebody could have changed is refused.
func Regain(b Binary, program *os.File) (Binary, error) {
	defer program.Close()
	fail := func(err error) (Binary, error) {
		return Binary{}, fmt.Errorf("take over runtime %s: %w", b.Name, err)
	}
	raw, err := program.SyscallConn()
	if err != nil {
		return fail(err)
	}
	if controlErr := raw.Control(func(number uintptr) { b.sealed, err = regain(number) }); controlErr != nil {
		return fail(controlErr)
	}
	if err != nil {
		return fail(err)
	}
	return b, nil
}

func regain(number uintptr) (*sealed, error) {
	has, err := unix.FcntlInt(number, unix.F_GET_SEALS, 0)
	if err != nil || has&programSeals != programSeals {
		return nil, errors.Join(errors.New("its copy is not sealed"), err)
	}
	return guarded(int(number))
}

// Adopt goes on with the container id that Create of another image has made,
// with Dir as it was then and the pid of its init, which nobody has reaped. The
// error is ErrNotChild where the process is not ours.
func (r *Runtime) Adopt(id, dir string, pid int) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, &CommandError{Op: "adopt", ID: id, Err: err}
	}
	process, err := Watch(pid)
	if err != nil {
		return nil, &CommandError{Op: "adopt", ID: id, Err: err}
	}
	r.own(process)
	return &Container{runtime: r, id: id, dir: dir, process: process}, nil
}

// own marks the init of a container until it is reaped: its pid may be another's
// after that.
func (r *Runtime) own(process *Process) {
	r.inits.Store(process.pid, process)
	process.forget = func() { r.inits.CompareAndDelete(process.pid, process) }
}

// LeafOf returns the cgroup of a launch that another image has made.
func (c *Cgroup) LeafOf(id string) *Leaf { return c.leaf(id) }
