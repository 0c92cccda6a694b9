package listen

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address is where a port listens.
type address struct {
	path string         // of a unix socket; else
	on   netip.AddrPort // with a zone by its name
	both bool           // [::] takes IPv4, too
}

// resolve reads HOST:PORT or unix:/PATH. 0.0.0.0 is IPv4 only; [::] and no host are both
// families, or IPv4 alone where the kernel has no IPv6.
func resolve(ctx context.Context, s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return address{}, fmt.Errorf("listen on %s: the path is not absolute", s)
		}
		return address{path: filepath.Clean(path)}, nil
	}
	host, service, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("listen on %s: %w", s, err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return address{}, fmt.Errorf("listen on %s: %w", s, err)
	}
	ip, err := lookup(ctx, host)
	if err != nil {
		return address{}, fmt.Errorf("listen on %s: %w", s, err)
	}
	on := netip.AddrPortFrom(ip, uint16(port))
	return address{on: on, both: ip == netip.IPv6Unspecified()}, nil
}

// Canonical is an address as it is told apart from others, however it is spelled.
func Canonical(ctx context.Context, s string) (string, error) {
	if strings.HasPrefix(s, "systemd:") {
		return s, nil
	}
	at, err := resolve(ctx, s)
	return at.String(), err
}

func lookup(ctx context.Context, host string) (netip.Addr, error) {
	if host == "" {
		return anyAddress(), nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() {
			return ip, nil
		}
	}
	return ips[0].Unmap(), nil
}

// anyAddress is [::], or 0.0.0.0 where there is no IPv6.
func anyAddress() netip.Addr {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	defer unix.Close(fd)
	if unix.Bind(fd, &unix.SockaddrInet6{}) != nil {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func (a address) String() string {
	if a.path != "" {
		return "unix:" + a.path
	}
	return a.on.String()
}

// client is what a client on this machine connects to.
func (a address) client() netip.AddrPort {
	ip := a.on.Addr()
	switch {
	case !ip.IsUnspecified():
	case ip.Is4() || a.both: // ::1 can be off where [::] is not
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		ip = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(ip, a.on.Port())
}

func (a address) dial() string {
	if a.path != "" {
		return a.String()
	}
	return a.client().String()
}

func (a address) family() int {
	switch {
	case a.path != "":
		return unix.AF_UNIX
	case a.on.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// covers says whether a socket that listens on ip has connections of a.
func (a address) covers(ip netip.Addr) bool {
	ip, own := ip.Unmap().WithZone(""), a.on.Addr().WithZone("")
	switch {
	case ip == own:
		return true
	case own.IsUnspecified():
		return a.both || ip.Is4() == own.Is4()
	case ip.IsUnspecified():
		return ip.Is4() == own.Is4() || own.Is4() // [::] may take IPv4
	}
	return false
}

func sockaddr(ap netip.AddrPort) (unix.Sockaddr, error) {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
	if zone := ap.Addr().Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("zone %s: %w", zone, err)
		}
		sa.ZoneId = uint32(link.Index)
	}
	return sa, nil
}

// boundTo is where fd is bound.
func boundTo(fd int) (address, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return address{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return address{on: netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))}, nil
	case *unix.SockaddrInet6:
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		ip := netip.AddrFrom16(sa.Addr)
		both := only == 0 && ip.IsUnspecified()
		return address{on: netip.AddrPortFrom(ip.WithZone(zoneName(sa.ZoneId)), uint16(sa.Port)), both: both}, err
	case *unix.SockaddrUnix:
		return address{path: sa.Name}, nil
	}
	return address{}, unix.EAFNOSUPPORT
}

func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if link, err := net.InterfaceByIndex(int(index)); err == nil {
		return link.Name
	}
	return strconv.Itoa(int(index))
}
