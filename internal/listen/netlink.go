package listen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	header       = unix.SizeofNlMsghdr
	diagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	diagTimeout  = 5  // seconds; the kernel answers at once
)

// message is a request to sock_diag(7) with a body of size bytes.
func message(flags uint16, size int) []byte {
	b := make([]byte, header+size)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], diagByFamily)
	binary.NativeEndian.PutUint16(b[6:], flags)
	return b
}

// askDiag returns the bodies of the answers: any number with NLM_F_DUMP, else one, or none
// for a socket that is not there.
func askDiag(request []byte) (answers [][]byte, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("sock_diag: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: diagTimeout})
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", os.NewSyscallError("sendto", err))
	}
	dump := binary.NativeEndian.Uint16(request[6:])&unix.NLM_F_DUMP != 0
	for done := false; !done; done = done || !dump {
		buffer := make([]byte, 1<<15) // a dump comes in pieces of at most this
		n, err := receive(fd, buffer)
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", os.NewSyscallError("recvfrom", err))
		}
		if answers, done, err = readAnswers(answers, buffer[:n]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func receive(fd int, buffer []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// readAnswers appends the bodies of one datagram; done says that no other one comes.
func readAnswers(answers [][]byte, b []byte) (all [][]byte, done bool, err error) {
	for len(b) >= header {
		size := int(binary.NativeEndian.Uint32(b))
		if size < header || size > len(b) {
			return answers, true, fmt.Errorf("sock_diag: %w", unix.EBADMSG)
		}
		body := b[header:size]
		switch kind := binary.NativeEndian.Uint16(b[4:]); kind {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR: // DONE has an error number, too: that of a dump which the kernel gave up
			return answers, true, diagError(body)
		case diagByFamily:
			answers = append(answers, body)
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	if len(b) > 0 {
		return answers, true, fmt.Errorf("sock_diag: %w", unix.EBADMSG)
	}
	return answers, false, nil
}

func diagError(body []byte) error {
	if len(body) < 4 {
		return fmt.Errorf("sock_diag: %w", unix.EBADMSG)
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == 0 || errno == unix.ENOENT {
		return nil // of one connection: it is not there
	}
	return fmt.Errorf("sock_diag: %w", errno)
}

// attribute finds one of the attributes behind an answer.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= 4 {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[2:]) == kind {
			return b[4:size]
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil
}
