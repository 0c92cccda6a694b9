package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const programSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// sealed is a program in a memory file that nobody can change any more.
//
// It is bare numbers on purpose. An *os.File would be closed by its finalizer
// as soon as nothing refers to it, and the next call would fail.
type sealed struct {
	fd    int
	below []int // the guard
}

// sealedPrefix is how every runtime call of ours names its program in argv[0].
const sealedPrefix = "/proc/self/fd/"

// path is the program's for execve(2), in this process and its children.
func (s *sealed) path() string { return sealedPrefix + strconv.Itoa(s.fd) }

// file is a copy of the descriptor, which is the caller's.
func (s *sealed) file() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, lowestFD)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "oci-runtime"), nil
}

func (s *sealed) close() error {
	for _, fd := range s.below {
		_ = unix.Close(fd)
	}
	return unix.Close(s.fd)
}

// seal copies the program at path into a memory file.
//
// A runtime that finds its own binary sealed does not copy itself at each call
// (what it does against CVE-2019-5736, the container that overwrites the
// runtime through /proc/PID/exe). It also pins the version: an upgrade on disk
// cannot change the runtime between create and delete.
func seal(path string) (*sealed, error) {
	// A FIFO in its place must not hang us.
	source, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer source.Close()
	if err := sealable(source); err != nil {
		return nil, err
	}
	memory, err := Seal("oci-runtime", source)
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	return guarded(int(memory.Fd()))
}

// Seal copies a program into a memory file that is executable and that nobody,
// this process included, can change any more. The name is for people who look
// into /proc. The caller owes a Close.
func Seal(name string, program io.Reader) (*os.File, error) {
	memory, err := memoryFile(name)
	if err != nil {
		return nil, err
	}
	if err := fill(memory, program); err != nil {
		memory.Close()
		return nil, fmt.Errorf("copy: %w", err)
	}
	if _, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, programSeals); err != nil {
		memory.Close()
		return nil, fmt.Errorf("seal: %w", err)
	}
	return memory, nil
}

// fill is io.Copy, but for a file within the kernel: copy_file_range(2) refuses
// two file systems, and io.Copy would then take it through a small buffer of
// ours (10 ms instead of 7.5 for youki's 11.5 MB).
func fill(memory *os.File, program io.Reader) error {
	source, ok := program.(*os.File)
	if !ok {
		_, err := io.Copy(memory, program)
		return err
	}
	for {
		n, err := unix.Sendfile(int(memory.Fd()), int(source.Fd()), nil, 1<<30)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return os.NewSyscallError("sendfile", err)
		}
	}
}

// withoutPath is the error without the path, which the caller names.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// sealable looks at the file that is open, not at its path, where another may
// lie a moment later. A script is refused, since its interpreter would have to
// open a descriptor that execve has closed.
func sealable(source *os.File) error {
	info, err := source.Stat()
	if err != nil {
		return err
	}
	if err := trusted(info); err != nil {
		return err
	}
	magic := make([]byte, 4)
	if _, err := source.ReadAt(magic, 0); err != nil || string(magic) != "\x7fELF" {
		return errors.New("not an ELF program")
	}
	return nil
}

func memoryFile(name string) (*os.File, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 every memfd is executable
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("make executable memory file (sysctl vm.memfd_noexec must be 0 or 1): %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
