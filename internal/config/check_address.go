package config

import (
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

const (
	unixPrefix    = "unix:"
	systemdPrefix = "systemd:"

	// longestSocket is the longest path that bind(2) takes (sun_path, less its NUL).
	longestSocket = 107
	// longestFDName is the longest name of a descriptor (systemd's FDNAME_MAX).
	longestFDName = 255

	// placeLaunch and placePort stand for what a launch has of its own.
	placeLaunch = "{launch}"
	placePort   = "{port}"
)

// listenAddress takes what gatewayd listens on.
func listenAddress(r *report, n *node) (string, bool) {
	return checked(r, n, func(s string) (problem, suggestion string) {
		if at, ok := strings.CutPrefix(s, unixPrefix); ok {
			return socketProblem(at)
		}
		if name, ok := strings.CutPrefix(s, systemdPrefix); ok {
			return fdNameProblem(name), ""
		}
		return endpointProblem(s, "unix:/PATH or systemd:NAME", 1)
	})
}

// target takes where the program behind a proxy listens.
func target(r *report, n *node) (string, bool) {
	return checked(r, n, func(s string) (problem, suggestion string) {
		if at, ok := strings.CutPrefix(s, unixPrefix); ok {
			return privateProblem(at)
		}
		if problem, suggestion = endpointProblem(s, "unix:/PATH", 0); problem != "" {
			return problem, suggestion
		}
		if at, _ := endpoint(s); !at.Addr().IsLoopback() {
			return quote(s) + " is no address of the loopback: behind a proxy, the program listens for gatewayd alone",
				strconv.Quote("127.0.0.1:" + strconv.Itoa(int(at.Port())))
		}
		return "", ""
	})
}

// checked takes a string in which problem finds none.
func checked(r *report, n *node, problem func(s string) (problem, suggestion string)) (string, bool) {
	s, ok := text(r, n)
	if !ok {
		return "", false
	}
	if found, suggestion := problem(s); found != "" {
		r.add(n, n.at, suggestion, found)
		return "", false
	}
	return s, true
}

// endpoint returns the IP address and port of HOST:PORT; no host is the
// wildcard of both families, as [::] is.
func endpoint(s string) (netip.AddrPort, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	if host == "" {
		host = "::"
	}
	ip, errIP := netip.ParseAddr(host)
	number, errPort := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(ip, uint16(number)), errIP == nil && errPort == nil
}

// endpointProblem tells what is wrong with HOST:PORT, and what was meant.
func endpointProblem(s, others string, lowest uint64) (problem, suggestion string) {
	_, rest, isURL := strings.Cut(s, "://")
	host, port, err := net.SplitHostPort(s)
	switch {
	case isURL:
		return quote(s) + " is a URL: want IP:PORT, " + others, strconv.Quote(clip(strings.TrimSuffix(rest, "/")))
	case err != nil && wholePort(s, 1):
		return quote(s) + " is a port alone: want IP:PORT, " + others, strconv.Quote("127.0.0.1:" + s)
	case err != nil:
		return quote(s) + " is no address: want IP:PORT ([IP]:PORT with IPv6), " + others, ""
	case port == placePort && lowest == 0:
		return "port 0 stands for one that gatewayd chooses for each launch", strconv.Quote(net.JoinHostPort(host, "0"))
	case !wholePort(port, lowest):
		return "the port " + quote(port) + " is not between " + strconv.FormatUint(lowest, 10) + " and 65535", ""
	}
	return hostProblem(host, port)
}

func hostProblem(host, port string) (problem, suggestion string) {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return "", ""
	case host == "localhost":
		return "localhost is a name, which may mean several addresses: want an IP address", strconv.Quote("127.0.0.1:" + port)
	case host == "*":
		return "* is no IP address", strconv.Quote(":" + port)
	case err != nil:
		return quote(host) + " is no IP address", ""
	case ip.Zone() != "":
		return quote(host) + " names a network interface, which is not supported", ""
	case ip.Is4In6():
		return quote(host) + " is an IPv4 address in the form of IPv6", strconv.Quote(ip.Unmap().String() + ":" + port)
	}
	return "", ""
}

func wholePort(s string, lowest uint64) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port >= lowest && strconv.FormatUint(port, 10) == s
}

func socketProblem(at string) (problem, suggestion string) {
	problem, better := pathProblem(at)
	if better != "" {
		better = strconv.Quote(clip(unixPrefix + path.Clean(at)))
	}
	switch {
	case problem != "":
		return problem, better
	case at == "/":
		return "the path is missing", ""
	case len(at) > longestSocket:
		return quote(at) + " is longer than a socket's path can be, " + strconv.Itoa(longestSocket) + " bytes", ""
	case strings.ContainsAny(at, "{}"):
		return quote(at) + " contains { or }: only to and command know placeholders", ""
	}
	return "", ""
}

// privateProblem judges a path in the container whose directory is mounted for
// the socket alone. {launch} is as long as a number that no host will reach.
func privateProblem(at string) (problem, suggestion string) {
	dir := path.Dir(at)
	if problem, suggestion = socketProblem(strings.ReplaceAll(at, placeLaunch, "00000000")); problem != "" {
		return problem, suggestion
	}
	if strings.Contains(dir, placeLaunch) {
		return quote(at) + " has {launch} in a directory: want it in the name of the socket", ""
	}
	if dir == "/" {
		return quote(at) + " lies in the root of the container: want a directory for it, which each launch gets afresh", strconv.Quote("unix:/run" + clip(at))
	}
	for _, tree := range taken {
		if beneath(dir, tree) {
			return quote(at) + " is refused: its directory is mounted, and nothing may be mounted at or below " + tree, ""
		}
	}
	return "", ""
}

// fdNameProblem judges what FileDescriptorName= of a socket unit takes.
func fdNameProblem(name string) string {
	forbidden := func(c rune) bool { return c < ' ' || c > '~' || c == ':' }
	switch {
	case name == "":
		return "the name is missing: want systemd:NAME, as FileDescriptorName= of the socket unit says"
	case len(name) > longestFDName:
		return "the name is longer than " + strconv.Itoa(longestFDName) + " bytes"
	case strings.ContainsFunc(name, forbidden):
		return quote(name) + ` is no name of a descriptor: want ASCII without ":" and control characters`
	}
	return ""
}
