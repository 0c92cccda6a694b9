package systemd

import (
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// TakeSockets returns the descriptors that systemd has handed to this process
// (sd_listen_fds(3)), by name: those of its socket units, and those that an
// earlier process has stored. They are closed on exec, and the environment no
// longer tells of them: what is started later would take them for its own.
//
// Several may have one name. Their order means nothing: what was stored comes
// back in another one.
func TakeSockets() map[string][]*os.File {
	byName := make(map[string][]*os.File)
	for _, file := range activation.Files(true) {
		byName[file.Name()] = append(byName[file.Name()], file)
	}
	return byName
}

// Store has the service manager keep a copy of file, and hand it to the next
// process of this service under the name (FileDescriptorStoreMax= of the unit
// bounds how many it keeps; of more it only says so in its own log). One that is
// stored already is not stored twice.
//
// FDPOLL=0: otherwise the manager drops a descriptor that reports a hang-up, as
// a listener does that a program has shut down. It can be made to listen again.
func (n Notifier) Store(name string, file *os.File) error {
	raw, err := file.SyscallConn() // Fd would make the open file blocking, for everybody who shares it
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		sent = n.sendWith(unix.UnixRights(int(fd)), "FDSTORE=1\nFDPOLL=0\nFDNAME="+name)
	})
	if err == nil {
		err = sent
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Unstore has the service manager forget what is stored under the name. Nothing
// is: nil.
func (n Notifier) Unstore(name string) error {
	if err := n.send("FDSTOREREMOVE=1", "FDNAME="+name); err != nil {
		return fmt.Errorf("remove %s from the store: %w", name, err)
	}
	step.Done("socket-unstored")
	return nil
}

// sendWith sends a message with control data: SdNotify can send none.
func (Notifier) sendWith(control []byte, message string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify service manager: %w", os.NewSyscallError("socket", err))
	}
	defer func() { _ = unix.Close(fd) }() // it has nothing left to send
	if err := unix.Sendmsg(fd, []byte(message), control, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("notify service manager: %w", os.NewSyscallError("sendmsg", err))
	}
	step.Done("socket-stored")
	return nil
}
