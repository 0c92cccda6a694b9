package inside

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// LoopbackUp brings "lo" up in the network namespace of this process, which
// needs CAP_NET_ADMIN in the user namespace that owns it. It is up already: nil.
//
// It is an OCI hook, to which the runtime writes the container's state. That
// says nothing new, but it is read to its end: a runtime whose write fails with
// EPIPE takes the hook for failed.
func LoopbackUp() error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("read container state: %w", err)
	}
	if err := setUp("lo"); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

// setUp sets IFF_UP, as netdevice(7) says: read the flags, add one, write them.
func setUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return os.NewSyscallError("ioctl SIOCGIFFLAGS", err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	return os.NewSyscallError("ioctl SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}
