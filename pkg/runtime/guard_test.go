package runtime

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Whatever number a file has that is passed: the sealed program is executed, and
// not what Go's child has moved to its place.
func TestSealedBesideAnyDescriptor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "true")
	content, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	blocked := passable(t, lowestFD+10) // in the middle of the first row
	defer blocked.Close()
	s, err := seal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.fd <= int(blocked.Fd())+guard {
		t.Errorf("the program is at %d, and %d is another's", s.fd, blocked.Fd())
	}
	tried := 0
	for number := lowestFD - 5; number < s.fd+20; number++ {
		file := passable(t, number)
		if int(file.Fd()) == number {
			tried++
			c := exec.Command(s.path())
			c.ExtraFiles = []*os.File{file}
			if err := c.Run(); err != nil {
				t.Errorf("with a file at %d beside the program at %d: %v", number, s.fd, err)
			}
		}
		file.Close()
	}
	if tried < 5 { // other programs that are sealed in this process have their rows, too
		t.Errorf("only %d numbers were free", tried)
	}
}

// passable is a file at the number, or at the next one that is free.
func passable(t *testing.T, number int) *os.File {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, number)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "passed")
}
