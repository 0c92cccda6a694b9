package listen

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// keyPrefix begins all names in the fd store: what has another name is lent by a socket unit.
const keyPrefix = "listen="

// key is the name of a socket in the fd store. It is made of the address alone: that
// belongs to gatewayd, whichever gateway listens there. systemd takes no colon, and 255
// bytes at most (sd_notify(3), FDNAME=).
func (a address) key(name string) string {
	at := url.QueryEscape(a.String())
	if len(at) > 200 {
		at = fmt.Sprintf("%x", sha256.Sum256([]byte(a.String())))
	}
	return keyPrefix + at + "/" + name
}

func (p *Port) keptAs(m *member) string {
	if p.lent != "" {
		return p.lent
	}
	return p.at.key(m.name)
}

// keep gives all sockets to the Keeper; what it has already it does not store again.
func (p *Port) keep() {
	if p.o.Keeper == nil || p.lent != "" {
		return
	}
	for _, m := range p.members {
		f, err := p.file(m)
		if err == nil {
			err = p.o.Keeper.Keep(p.at.key(m.name), f)
			f.Close()
		}
		if err != nil {
			p.o.Log("keeping a socket beyond the end of gatewayd", err)
		}
	}
}

// giveUp stops listening, also for those who have a copy, and forgets the sockets.
func (p *Port) giveUp() error {
	if p.lent != "" {
		return p.giveBack()
	}
	var faults []error
	for _, m := range p.members {
		if err := unix.Shutdown(m.fd, unix.SHUT_RDWR); err != nil && !errors.Is(err, unix.ENOTCONN) {
			faults = append(faults, os.NewSyscallError("shutdown", err))
		}
		step.Done("socket-shut")
		faults = append(faults, p.o.drop(p.at.key(m.name)))
	}
	return errors.Join(append(faults, p.unlink())...)
}

func (o Options) drop(name string) error {
	if o.Keeper == nil {
		return nil
	}
	return o.Keeper.Drop(name)
}

// takeGroup takes the group over from Sockets, where all of it is there.
func takeGroup(o Options, at address) (group []*member, complete bool) {
	group = blankGroup()
	var faults []error
	there := 0
	for _, m := range group {
		files := o.Sockets.take(at.key(m.name))
		there += len(files)
		var err error
		if m.fd, err = pick(files, func(fd int) error { return fits(fd, at, true) }); err != nil {
			faults = append(faults, fmt.Errorf("socket %s: %w", m.name, err))
		}
	}
	if len(faults) == 0 {
		return group, true
	}
	closeAll(group)
	if there > 0 {
		dropAll(o, at, group)
		o.log("opening all sockets anew", fmt.Errorf("what was kept of %s is of no use: %w", at, errors.Join(faults...)))
	}
	return nil, false
}

func dropAll(o Options, at address, group []*member) {
	for _, m := range group {
		if err := o.drop(at.key(m.name)); err != nil {
			o.log("dropping a socket", err)
		}
	}
}

func (o Options) log(msg string, err error) {
	if o.Log != nil {
		o.Log(msg, err)
	}
}

// pick takes the first socket that fits over, and closes all files.
func pick(files []*os.File, fits func(fd int) error) (int, error) {
	found, fault := -1, errors.New("is not there")
	for _, f := range files {
		fd, err := adopt(f)
		if err == nil && found < 0 {
			if err = fits(fd); err == nil {
				found = fd
				continue
			}
		}
		if err != nil {
			fault = err
		}
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if found < 0 {
		return -1, fault
	}
	return found, nil
}

// fits says why fd is not a socket that can be used for at. It need not listen: a program
// may have shut it down.
func fits(fd int, at address, group bool) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	bound, err := boundTo(fd)
	if err != nil {
		return err
	}
	together, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	protocol, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	switch {
	case kind != unix.SOCK_STREAM || protocol == unix.IPPROTO_MPTCP:
		return errors.New("is no stream socket of TCP or unix")
	case bound != at:
		return fmt.Errorf("is bound to %s", bound)
	case (together != 0) != group:
		return errors.New("is of another kind of port")
	}
	return nil
}
