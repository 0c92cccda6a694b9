package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Variable names the number of the memory file to the new image.
const Variable = "GATEWAYD_HANDOVER"

// largest is what a state may have: a thousand times that of a usual one.
const largest = 64 << 20

// Taken is a parcel that was opened. Its files are the taker's: each is closed
// by an exec from now on.
type Taken struct {
	Program string    // the version of the program that packed it
	At      time.Time // when
	State   json.RawMessage

	files map[string]*os.File
}

// Take opens the parcel that an earlier image of this process has left; nil: it
// is not there, this is an ordinary start. It comes before anything else opens a
// file or starts a child.
func Take() (*Taken, error) {
	number, ok := os.LookupEnv(Variable)
	if !ok {
		return nil, nil //nolint:nilnil // nothing to take is what every ordinary start finds
	}
	_ = os.Unsetenv(Variable)
	fd, err := strconv.Atoi(number)
	if err != nil || fd <= 2 {
		return nil, fmt.Errorf("take over: %s=%.20q is no file of ours", Variable, number)
	}
	unix.CloseOnExec(fd)
	memory := os.NewFile(uintptr(fd), "gatewayd-state")
	defer func() { _ = memory.Close() }()
	d, err := read(memory)
	if err != nil {
		return nil, fmt.Errorf("take over: %w", err)
	}
	if d.Pid != os.Getpid() {
		return nil, fmt.Errorf("take over: the state is that of process %d", d.Pid)
	}
	return d.take()
}

// Read reads a parcel without taking the files that it names: to see whether it
// could be taken.
func Read(memory *os.File) (*Taken, error) {
	d, err := read(memory)
	if err != nil {
		return nil, err
	}
	return &Taken{Program: d.Program, At: d.At, State: d.State}, nil
}

// read insists on the seals: what can still change is not what was checked.
func read(memory *os.File) (*document, error) {
	var has int
	raw, err := memory.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { has, err = unix.FcntlInt(fd, unix.F_GET_SEALS, 0) }), err)
	}
	if err != nil || has&seals != seals {
		return nil, errors.Join(errors.New("the state is not in a sealed memory file"), err)
	}
	text, err := io.ReadAll(io.NewSectionReader(memory, 0, largest+1))
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if len(text) > largest {
		return nil, fmt.Errorf("read state: it has more than %d bytes", largest)
	}
	return parse(text)
}

// parse looks at the version before all else: the rest of a newer parcel may be
// anything.
func parse(text []byte) (*document, error) {
	var of struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if of.Version != Version {
		return nil, fmt.Errorf("read state: it has version %d, and this gatewayd knows version %d alone: restart gatewayd instead", of.Version, Version)
	}
	var d document
	if err := Decode(text, &d); err != nil {
		return nil, err
	}
	return &d, d.check()
}

// Decode reads JSON that has to be complete and to hold nothing unknown: a field
// that is dropped would be something that is lost.
func Decode(text []byte, value any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read state: something follows it")
	}
	return nil
}

// check finds fault with the table of files. A number twice would be closed
// twice, the second time as somebody else's.
func (d *document) check() error {
	seen := make(map[int]string, len(d.Files))
	for name, fd := range d.Files {
		if other, twice := seen[fd]; twice || fd <= 2 {
			return fmt.Errorf("read state: file %s cannot be number %d (%s)", name, fd, other)
		}
		seen[fd] = name
	}
	if len(d.State) == 0 {
		return errors.New("read state: there is none in it")
	}
	return nil
}

// take makes the files ours. One that is not open is a fault of who packed it.
func (d *document) take() (*Taken, error) {
	t := &Taken{Program: d.Program, At: d.At, State: d.State, files: make(map[string]*os.File, len(d.Files))}
	for name, fd := range d.Files {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, fmt.Errorf("take over %s: file %d: %w", name, fd, err)
		}
		t.files[name] = os.NewFile(uintptr(fd), name)
	}
	return t, nil
}

// File returns the file of that name, which is the caller's then; nil: there is
// none, or it was asked for before.
func (t *Taken) File(name string) *os.File {
	file := t.files[name]
	delete(t.files, name)
	return file
}

// Names are those of the files that nobody has asked for yet, in order.
func (t *Taken) Names() []string { return slices.Sorted(maps.Keys(t.files)) }

// Close closes the files that nobody has asked for.
func (t *Taken) Close() {
	for name, file := range t.files {
		_ = file.Close() // nobody uses it
		delete(t.files, name)
	}
}
