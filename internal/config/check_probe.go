package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// probe takes a URL, a word or the argv of a program.
func probe(r *report, n *node) (Probe, bool) {
	if n.isArray() {
		list, ok := argv(r, n)
		return Probe{Kind: ProbeExec, Argv: list}, ok
	}
	if n.kind != unstable.String {
		r.value(n, "want a URL, an array (a program and its arguments), \"notify\" or \"none\", got %s", kinds[n.kind])
		return Probe{}, false
	}
	s, ok := text(r, n)
	if !ok {
		return Probe{}, false
	}
	if word := ProbeKind(s); word == ProbeNone || word == ProbeNotify {
		return Probe{Kind: word}, true
	}
	return probeURL(r, n, s)
}

// probeForms has a row for each scheme: the kind of its probe, and what makes
// the address out of the URL or tells its problem.
var probeForms = []struct {
	scheme string
	kind   ProbeKind
	parse  func(s string) (address string, problem error)
}{
	{"http", ProbeHTTP, httpAddress},
	{"https", ProbeHTTP, httpAddress},
	{"tcp", ProbeTCP, tcpAddress},
	{"unix", ProbeUnix, unixAddress},
}

// probeURL repeats nothing of a URL but its scheme: what follows may be a
// password, though none is allowed there.
func probeURL(r *report, n *node, s string) (Probe, bool) {
	scheme, _, isURL := strings.Cut(s, "://")
	if !isURL {
		r.word(n, s, quote(s)+" is no probe: want a URL, an array (a program and its arguments), \"notify\" or \"none\"",
			string(ProbeNone), string(ProbeNotify))
		return Probe{}, false
	}
	for _, form := range probeForms {
		if scheme != form.scheme {
			continue
		}
		address, problem := form.parse(s)
		if problem != nil {
			r.value(n, "%s", problem)
			return Probe{}, false
		}
		return Probe{Kind: form.kind, URL: address}, true
	}
	r.word(n, scheme, quote(scheme)+" is no scheme of a probe: want http://, https://, tcp:// or unix://", "http", "https", "tcp", "unix")
	return Probe{}, false
}

func httpAddress(s string) (string, error) {
	_, err := parseURL(s)
	return s, err
}

func tcpAddress(s string) (string, error) {
	u, err := parseURL(s)
	switch {
	case err != nil:
		return "", err
	case u.Port() == "":
		return "", errors.New("the port is missing")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("want tcp://HOST:PORT and nothing behind")
	}
	return u.Host, nil
}

// unixAddress takes what follows the scheme as a path, without escapes: a
// percent sign is a percent sign, as everywhere else in the file.
func unixAddress(s string) (string, error) {
	address := strings.TrimPrefix(s, "unix://")
	if problem, _ := pathProblem(address); problem != "" {
		return "", errors.New("want unix:// and an absolute path: " + problem)
	}
	if address == "/" {
		return "", errors.New("the path is missing")
	}
	return address, nil
}

// parseURL takes a URL that names a host. A password in it would reach status
// and journal, so it is refused.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		// Without the library's words, which repeat parts of the URL.
		return nil, errors.New("is no valid URL")
	case u.Hostname() == "":
		return nil, errors.New("the host is missing")
	case u.User != nil:
		return nil, errors.New("a user name or password is not allowed")
	case u.Fragment != "":
		return nil, errors.New("a fragment is not allowed")
	case !validPort(u):
		return nil, errors.New("the port is not between 1 and 65535")
	}
	return u, nil
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}
