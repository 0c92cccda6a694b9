package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter is a program for seccomp(2). The empty one lets everything pass.
type Filter []bpf.RawInstruction

// size is that of struct sock_filter.
const size = 8

// seals keep everybody from changing a filter, who opens it through /proc too.
const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// File returns a new sealed memfd for Read: an array of struct sock_filter.
func (f Filter) File() (*os.File, error) {
	data := make([]byte, 0, len(f)*size)
	for _, in := range f {
		data = binary.NativeEndian.AppendUint16(data, in.Op)
		data = append(data, in.Jt, in.Jf)
		data = binary.NativeEndian.AppendUint32(data, in.K)
	}
	file, err := sealed(data)
	if err != nil {
		return nil, fmt.Errorf("write seccomp filter: %w", err)
	}
	return file, nil
}

func sealed(data []byte) (*os.File, error) {
	const name, flags = "seccomp filter", unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), name)
	_, err = file.Write(data)
	if err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// Read returns the filter in a file that File made. Whatever is not sealed is
// refused: where a descriptor was not handed over another file may have its
// number, and an empty one would be no filter at all. The file's offset is
// neither used nor moved, since others read from the same open file.
func Read(file *os.File) (Filter, error) {
	filter, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("read seccomp filter: %w", err)
	}
	return filter, nil
}

func read(file *os.File) (Filter, error) {
	held, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("no sealed file: %w", err)
	}
	if held&seals != seals {
		return nil, errors.New("no sealed file")
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return nil, err
	}
	if len(data)%size != 0 || len(data) > maxLength*size {
		return nil, fmt.Errorf("%d bytes are none", len(data))
	}
	filter := make(Filter, len(data)/size)
	for i := range filter {
		in := data[i*size:]
		filter[i] = bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(in), Jt: in[2], Jf: in[3], K: binary.NativeEndian.Uint32(in[4:]),
		}
	}
	return filter, nil
}

// Install puts the calling thread, and what it becomes by execve, under the
// filter for good. The thread must have no_new_privs.
func (f Filter) Install() error {
	if len(f) == 0 {
		return nil
	}
	program := make([]unix.SockFilter, len(f))
	for i, in := range f {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	argument := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&argument)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}
