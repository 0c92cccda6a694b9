package seccomp

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestFileAndRead(t *testing.T) {
	want := defaultFilter(t)
	file, err := want.File()
	must(t, err)
	defer file.Close()
	for range 2 { // the second one begins at the beginning, too
		if got, err := Read(file); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d instructions of %d, %v", len(got), len(want), err)
		}
	}
	if _, err := file.WriteAt([]byte{0}, 0); err == nil {
		t.Error("it can be written")
	}
	if err := file.Truncate(0); err == nil {
		t.Error("it can be cut")
	}
}

func TestNoProfile(t *testing.T) {
	none, err := Compile(nil)
	must(t, err)
	file, err := none.File()
	must(t, err)
	defer file.Close()
	got, err := Read(file)
	if err != nil || len(got) != 0 || got.Install() != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestReadRefuses(t *testing.T) {
	memory := func(data []byte) *os.File {
		file, err := sealed(data)
		must(t, err)
		t.Cleanup(func() { file.Close() })
		return file
	}
	closed := memory(nil)
	closed.Close()
	pipe, _, err := os.Pipe()
	must(t, err)
	defer pipe.Close()
	open, err := os.Create(filepath.Join(t.TempDir(), "empty"))
	must(t, err)
	defer open.Close()
	for name, file := range map[string]*os.File{
		"closed": closed, "pipe": pipe, "not sealed": open, "cut": memory(make([]byte, 2*size-1)), "long": memory(make([]byte, (maxLength+1)*size)),
	} {
		if filter, err := Read(file); err == nil || filter != nil {
			t.Errorf("%s: %d instructions, %v", name, len(filter), err)
		}
	}
}

// The kernel looks a program through before it takes it.
func TestInstallOfWhatIsNoProgram(t *testing.T) {
	broken := defaultFilter(t)
	broken[len(broken)-1].Op = 0xffff
	if err := broken.Install(); err == nil {
		t.Error("it was taken")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
