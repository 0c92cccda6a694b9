package proxy

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// The PROXY protocol, version 2 (haproxy.org/download/3.0/doc/proxy-protocol.txt, 2.2).
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"

	commandLocal = 0x20
	commandProxy = 0x21

	familyNone = 0x00
	familyTCP4 = 0x11
	familyTCP6 = 0x21
	familyUnix = 0x31

	unixPath = 108 // of sockaddr_un
)

// proxyHeader tells a backend who its client is. Of a connection that we have made
// ourselves (local) it says just that, and the backend takes the real addresses.
func proxyHeader(client, server net.Addr, local bool) []byte {
	command, family, addresses := byte(commandProxy), byte(familyNone), []byte(nil)
	switch c := client.(type) {
	case *net.TCPAddr:
		if s, ok := server.(*net.TCPAddr); ok {
			family, addresses = tcpAddresses(c.AddrPort(), s.AddrPort())
		}
	case *net.UnixAddr:
		if s, ok := server.(*net.UnixAddr); ok {
			family, addresses = familyUnix, append(unixAddress(c), unixAddress(s)...)
		}
	}
	if local || family == familyNone {
		command, family, addresses = commandLocal, familyNone, nil
	}
	b := append([]byte(signature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addresses)))
	return append(b, addresses...)
}

// tcpAddresses are those of an IPv4 connection also where a dual-stack socket has accepted it.
func tcpAddresses(client, server netip.AddrPort) (family byte, b []byte) {
	from, to := client.Addr().Unmap(), server.Addr().Unmap()
	if family = familyTCP4; from.Is6() || to.Is6() {
		family = familyTCP6
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	b = append(from.AsSlice(), to.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, client.Port())
	return family, binary.BigEndian.AppendUint16(b, server.Port())
}

// unixAddress is sun_path, zeros of a client without a name. Go writes @ for the NUL
// before an abstract name.
func unixAddress(a *net.UnixAddr) []byte {
	path := make([]byte, unixPath)
	copy(path, a.Name)
	if len(a.Name) > 0 && a.Name[0] == '@' {
		path[0] = 0
	}
	return path
}
