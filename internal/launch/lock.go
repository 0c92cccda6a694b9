package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockedError says that another gatewayd owns the directories.
type LockedError struct {
	Path string
	Pid  string // what the holder wrote; "" when it could not be read
}

func (e *LockedError) Error() string {
	holder := "another gatewayd"
	if e.Pid != "" {
		holder += " with pid " + e.Pid
	}
	return fmt.Sprintf("lock %s: %s holds it; stop that one first", e.Path, holder)
}

// Lock is the ownership of a gatewayd's directories. The kernel gives it up
// with the process, however that ends.
type Lock struct{ file *os.File }

// Acquire takes the lock of the directories, or returns a *LockedError at once.
// The pid in the file is for people: only the flock decides.
func (d Dirs) Acquire() (*Lock, error) {
	file, err := os.OpenFile(d.Lock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer func() { _ = file.Close() }()
		return nil, &LockedError{Path: d.Lock(), Pid: readPid(file)}
	}
	if err == nil {
		err = writePid(file)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", d.Lock(), err)
	}
	return &Lock{file: file}, nil
}

// Release gives the lock up.
func (l *Lock) Release() error { return l.file.Close() }

func readPid(file *os.File) string {
	text, _ := io.ReadAll(io.NewSectionReader(file, 0, 32))
	pid := strings.TrimSpace(string(text))
	if _, err := strconv.Atoi(pid); err != nil {
		return ""
	}
	return pid
}

func writePid(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
