package handover

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Version is that of the parcel and of the state in it. It grows with whatever
// an older gatewayd would misread.
const Version = 2

// Parcel is what one image packs for the next.
type Parcel struct {
	program string
	files   map[string]packed
}

// packed is an open file: the number to pass, and what keeps it open.
type packed struct {
	fd    int
	owner syscall.Conn
}

// New returns an empty parcel of a program with that version.
func New(program string) *Parcel {
	return &Parcel{program: program, files: make(map[string]packed)}
}

// Add packs an open file, which the caller keeps open: an *os.File or a socket
// of package net. Its mode is not touched, as (*os.File).Fd would do.
func (p *Parcel) Add(name string, c syscall.Conn) error {
	if _, twice := p.files[name]; twice {
		return fmt.Errorf("hand over %s: it is packed already", name)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("hand over %s: %w", name, err)
	}
	var fd int
	if err := raw.Control(func(number uintptr) { fd = int(number) }); err != nil {
		return fmt.Errorf("hand over %s: %w", name, err)
	}
	p.files[name] = packed{fd, c}
	return nil
}

// document is what lies in the memory file.
type document struct {
	Version int             `json:"version"`
	Program string          `json:"program"`
	Pid     int             `json:"pid"`
	At      time.Time       `json:"at"`
	Files   map[string]int  `json:"files"`
	State   json.RawMessage `json:"state"`
}

// Seal writes the parcel with that state into a sealed memory file. The caller
// owes a Close.
func (p *Parcel) Seal(state any) (*Sealed, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("write state: %w", err)
	}
	d := document{Version, p.program, os.Getpid(), time.Now(), make(map[string]int), text}
	for name, file := range p.files {
		d.Files[name] = file.fd
	}
	if text, err = json.Marshal(d); err != nil {
		return nil, fmt.Errorf("write state: %w", err)
	}
	memory, err := memoryFile(text)
	if err != nil {
		return nil, err
	}
	return &Sealed{memory: memory, files: p.files}, nil
}

// Sealed is a parcel that is ready to go.
type Sealed struct {
	memory *os.File
	files  map[string]packed
}

// Close gives the memory file back. The packed files stay the caller's.
func (s *Sealed) Close() error { return s.memory.Close() }

const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// memoryFile holds text, which nobody can change any more.
func memoryFile(text []byte) (*os.File, error) {
	const name = "gatewayd-state"
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { //nolint:errorlint // a bare errno; before Linux 6.3 there is no such flag
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	memory := os.NewFile(uintptr(fd), name)
	if _, err = memory.Write(text); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		_ = memory.Close()
		return nil, fmt.Errorf("write state: %w", err)
	}
	return memory, nil
}
