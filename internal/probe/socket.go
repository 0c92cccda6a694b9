package probe

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// TCP returns the probe that connects to host:port, or by dial where that is not
// nil. Nothing is sent.
func TCP(address string, dial Dial) Probe {
	return func(ctx context.Context) error {
		return connect(ctx, dial.orTo("tcp", address), "connect to tcp://"+address)
	}
}

// Unix returns the probe that connects to a unix stream socket. path is as the
// gateway sees it, beneath the directory that root names at the time of the
// probe, such as /proc/PID/root of its init.
func Unix(root func() (string, error), path string) Probe {
	name := "connect to unix://" + path
	return func(ctx context.Context) error {
		dir, err := root()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		socket, err := OpenBeneath(dir, path)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer socket.Close()
		return connect(ctx, Dial(nil).orTo("unix", fmt.Sprintf("/proc/self/fd/%d", socket.Fd())), name)
	}
}

func connect(ctx context.Context, dial Dial, name string) error {
	began := time.Now()
	conn, err := dial(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, plain(ctx, began, err))
	}
	return conn.Close()
}

// OpenBeneath pins the object that path means within dir. The gateway owns
// everything there: a symbolic link to /run/user/1000/bus, put in place of the
// socket, must end within dir and not at the host's bus. What is connected to
// then is the object that was pinned.
func OpenBeneath(dir, path string) (*os.File, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
