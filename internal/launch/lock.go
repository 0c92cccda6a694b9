package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
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
// It comes before all else that is done to them, and makes the one that the lock
// lies in. The pid in the file is for people: only the flock decides.
func (d Dirs) Acquire() (lock *Lock, err error) {
	for range lockTries {
		if lock, err = d.acquire(); !errors.Is(err, errReplaced) {
			break
		}
	}
	return lock, err
}

// lockTries bounds what is nobody's doing: each time that a try is in vain,
// another gatewayd has ended.
const lockTries = 100

// errReplaced: the file was locked when it was the lock no more, or went with
// its directory before. Its owner has removed it, so the next one is tried for.
var errReplaced = errors.New("it was removed meanwhile")

func (d Dirs) acquire() (*Lock, error) {
	if err := createDir(d.Runtime); err != nil {
		return nil, orReplaced(err)
	}
	file, err := os.OpenFile(d.Lock(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, orReplaced(fmt.Errorf("open lock: %w", err))
	}
	step.Done("lock-opened")
	if err := d.lock(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Lock{file: file}, nil
}

func orReplaced(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", err, errReplaced)
	}
	return err
}

func (d Dirs) lock(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return &LockedError{Path: d.Lock(), Pid: readPid(file)}
	case err == nil && !d.isLock(file):
		return fmt.Errorf("lock %s: %w", d.Lock(), errReplaced)
	case err == nil:
		err = writePid(file)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.Lock(), err)
	}
	return nil
}

// isLock says whether file is what the next gatewayd would try to lock: only
// then does the lock keep that one out.
func (d Dirs) isLock(file *os.File) bool {
	own, err := file.Stat()
	if err != nil {
		return false
	}
	current, err := os.Lstat(d.Lock())
	return err == nil && os.SameFile(own, current)
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
	step.Done("lock-written")
	return err
}
