package config

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// asksPort tells whether the probe connects to a port.
func (g Gateway) asksPort() bool {
	return g.Ready.Probe.Kind == ProbeHTTP || g.Ready.Probe.Kind == ProbeTCP
}

// ProbedListen returns the listen that the probe goes through: the one whose
// address host and port of the probe reach. Only there can gatewayd have the
// launch answer that it means.
func (g Gateway) ProbedListen() (Listen, bool) {
	host, port := g.Ready.Probe.hostPort()
	for _, l := range g.Listen {
		if at, ok := endpoint(l.Address); ok && at.Port() == port && reaches(host, at.Addr()) {
			return l, true
		}
	}
	return Listen{}, false
}

// hostPort returns what the probe connects to; of other kinds of probes nothing.
func (p Probe) hostPort() (host string, port uint16) {
	var text string
	switch p.Kind {
	case ProbeTCP:
		host, text, _ = net.SplitHostPort(p.URL) // checked: it has both
	case ProbeHTTP:
		u, err := url.Parse(p.URL)
		if err != nil {
			return "", 0
		}
		host, text = u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	number, _ := strconv.ParseUint(text, 10, 16) // checked; no port is 0, which no listen has
	return host, uint16(number)
}

// reaches tells whether a connection to host certainly arrives at a socket that
// is bound to at. Of a wildcard only the loopback is known to be its own: any
// other address may be another machine's.
func reaches(host string, at netip.Addr) bool {
	if host == "localhost" {
		return at.IsUnspecified() || at == ipv4Loopback || at == netip.IPv6Loopback()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = loopbackFor(ip.Unmap())
	if at.IsUnspecified() {
		return ip.IsLoopback() && (ip.Is4() || at.Is6()) // [::] accepts IPv4 as well
	}
	return ip == at
}

var ipv4Loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// loopbackFor returns what a connection to a wildcard really reaches.
func loopbackFor(ip netip.Addr) netip.Addr {
	switch {
	case !ip.IsUnspecified():
		return ip
	case ip.Is4():
		return ipv4Loopback
	}
	return netip.IPv6Loopback()
}
