package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Freeze stops every process in the leaf and below where it is, or lets it go
// on, and waits until that is so (cgroup.freeze, Linux 5.2). Frozen processes
// keep their memory and descriptors, get no time, and can be killed. Idempotent.
//
// Gone already: nil for letting go, fs.ErrNotExist for freezing. When ctx ends
// first, some processes may be frozen and others not: let them go, or kill them.
func (l *Leaf) Freeze(ctx context.Context, frozen bool) error {
	value := "0"
	if frozen {
		value = "1"
	}
	err := opened(l.Dir(), "cgroup.freeze", func(path string) error { return writeControl(path, value) })
	step.Done("leaf-frozen")
	if gone(err) && !frozen {
		return nil
	}
	if err != nil {
		return fmt.Errorf("freeze cgroup %s (%s): %w", l.path, value, err)
	}
	if err := l.await(ctx, "frozen", value); err != nil {
		return fmt.Errorf("freeze cgroup %s (%s): %w", l.path, value, err)
	}
	return nil
}

// await waits until cgroup.events says that key has the value. The kernel tells
// of each change of that file by poll(2). It is nil for a cgroup that is gone.
func (l *Leaf) await(ctx context.Context, key, value string) error {
	var fd int
	err := opened(l.Dir(), "cgroup.events", func(path string) (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "cgroup.events") // non-blocking: in Go's poller
	defer file.Close()
	stop := context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(0, 1)) })
	defer stop()
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	err = conn.Read(func(fd uintptr) bool { return says(int(fd), key, value) })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return err
}

// says is true also for a cgroup that was removed meanwhile (ENODEV).
func says(fd int, key, value string) bool {
	data := make([]byte, 256)
	n, err := unix.Pread(fd, data, 0)
	return err != nil || lookUp(data[:n], key) == value
}
