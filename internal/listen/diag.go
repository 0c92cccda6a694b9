package listen

import (
	"encoding/binary"
	"io/fs"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// States of a TCP socket, <net/tcp_states.h>. The last is that of bind(2) without
// listen(2), which older kernels do not show.
const (
	stateEstablished = 1
	stateSynReceived = 3
	stateFinWait1    = 4
	stateFinWait2    = 5
	stateTimeWait    = 6
	stateCloseWait   = 8
	stateListen      = 10
	stateBound       = 13
)

func states(of ...uint8) (mask uint32) {
	for _, s := range of {
		mask |= 1 << s
	}
	return mask
}

// endpoint is a TCP socket as sock_diag(7) shows it.
type endpoint struct {
	state         uint8
	local, remote netip.AddrPort // IPv4 as such, also that of an IPv6 socket
	uid           uint32
	inode         uint64 // 0: no process has it
	cookie        uint64 // SO_COOKIE: no other socket of this machine has had it, or will
	mark          mark
}

// Sizes and offsets of <linux/inet_diag.h>.
const (
	requestSize = 56
	answerSize  = 72
	diagSockopt = 22 // INET_DIAG_SOCKOPT, which comes unasked from Linux 5.10 on
)

// endpoints lists the sockets of one family in these states whose own port is port.
func endpoints(family uint8, port uint16, mask uint32) ([]endpoint, error) {
	request := diagRequest(family, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, mask)
	binary.BigEndian.PutUint16(request[header+8:], port)
	answers, err := askDiag(request)
	var all []endpoint
	for _, a := range answers {
		if len(a) >= answerSize {
			all = append(all, readEndpoint(a))
		}
	}
	return all, err
}

// find looks one connection up by its two ends. fs.ErrNotExist: it is not there, or no
// more than a TIME_WAIT, which knows nothing of its listener.
func find(local, remote netip.AddrPort) (endpoint, error) {
	family := uint8(unix.AF_INET6)
	if local.Addr().Unmap().Is4() {
		family = unix.AF_INET
	}
	request := diagRequest(family, unix.NLM_F_REQUEST, ^uint32(0))
	putEnd(request[header+8:], request[header+12:], local)
	putEnd(request[header+10:], request[header+28:], remote)
	binary.NativeEndian.PutUint32(request[header+44:], zoneIndex(local.Addr().Zone()))
	binary.NativeEndian.PutUint64(request[header+48:], ^uint64(0)) // any cookie
	answers, err := askDiag(request)
	if err != nil {
		return endpoint{}, err
	}
	if len(answers) > 0 && len(answers[0]) >= answerSize {
		if e := readEndpoint(answers[0]); e.remote.Port() == remote.Port() { // else the kernel has fallen back to the listener
			return e, nil
		}
	}
	return endpoint{}, fs.ErrNotExist
}

func zoneIndex(zone string) uint32 {
	if link, err := net.InterfaceByName(zone); zone != "" && err == nil {
		return uint32(link.Index)
	}
	return 0
}

func diagRequest(family uint8, flags uint16, mask uint32) []byte {
	b := message(flags, requestSize)
	b[header], b[header+1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[header+4:], mask)
	return b
}

func putEnd(port, ip []byte, end netip.AddrPort) {
	binary.BigEndian.PutUint16(port, end.Port())
	copy(ip, end.Addr().Unmap().AsSlice())
}

func readEndpoint(b []byte) endpoint {
	e := endpoint{
		state:  b[1],
		local:  readEnd(b[0], b[4:], b[8:]),
		remote: readEnd(b[0], b[6:], b[24:]),
		uid:    binary.NativeEndian.Uint32(b[64:]),
		inode:  uint64(binary.NativeEndian.Uint32(b[68:])),
		cookie: binary.NativeEndian.Uint64(b[44:]),
	}
	e.mark = markOf(attribute(b[answerSize:], diagSockopt))
	return e
}

func readEnd(family uint8, port, ip []byte) netip.AddrPort {
	size := 16
	if family == unix.AF_INET {
		size = 4
	}
	address, _ := netip.AddrFromSlice(ip[:size])
	return netip.AddrPortFrom(address.Unmap(), binary.BigEndian.Uint16(port))
}
