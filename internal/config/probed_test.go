package config

import "testing"

func TestProbedListen(t *testing.T) {
	for _, c := range []struct {
		address, probe string
		want           bool
	}{
		{"127.0.0.1:8090", "http://127.0.0.1:8090/healthz", true},
		{"127.0.0.1:8090", "tcp://127.0.0.1:8090", true},
		{"127.0.0.1:8090", "http://localhost:8090/", true},
		{"127.0.0.1:8090", "http://127.0.0.1:8091/", false},
		{"127.0.0.1:8090", "http://127.0.0.2:8090/", false},
		{"127.0.0.1:8090", "http://[::1]:8090/", false},
		{"127.0.0.1:8090", "http://0.0.0.0:8090/", true},
		{"127.0.0.2:8090", "http://localhost:8090/", false},
		{"127.0.0.1:80", "http://127.0.0.1/", true},
		{"127.0.0.1:443", "https://127.0.0.1/", true},
		{"127.0.0.1:80", "https://127.0.0.1/", false},
		{"192.0.2.1:8090", "http://192.0.2.1:8090/", true},
		{"0.0.0.0:8090", "http://127.0.0.1:8090/", true},
		{"0.0.0.0:8090", "http://127.0.0.66:8090/", true},
		{"0.0.0.0:8090", "http://localhost:8090/", true},
		{"0.0.0.0:8090", "http://[::1]:8090/", false},
		{"0.0.0.0:8090", "http://192.0.2.1:8090/", false},
		{"0.0.0.0:8090", "http://example.org:8090/", false},
		{":8090", "http://127.0.0.1:8090/", true},
		{":8090", "http://[::1]:8090/", true},
		{"[::]:8090", "http://127.0.0.1:8090/", true},
		{"[::]:8090", "http://[::]:8090/", true},
		{"[::]:8090", "tcp://[::1]:8090", true},
		{"[::]:8090", "http://localhost:8090/", true},
		{"[::1]:8090", "http://[::1]:8090/", true},
		{"[0:0:0:0:0:0:0:1]:8090", "http://[::1]:8090/", true},
		{"[::1]:8090", "http://localhost:8090/", true},
		{"[::1]:8090", "http://127.0.0.1:8090/", false},
		{"[2001:db8::1]:8090", "http://[2001:db8::1]:8090/", true},
		{"127.0.0.1:8090", "http://[::ffff:127.0.0.1]:8090/", true},
		{"unix:/run/web.sock", "unix:///run/web.sock", false},
		{"systemd:web", "http://127.0.0.1:8090/", false},
		{"127.0.0.1:8090", "notify", false},
		{"127.0.0.1:8090", "none", false},
	} {
		g := parseOne(t, "[gateway.web]\nbundle = '/b'\nready.probe = '"+c.probe+"'\n"+
			"listen = [{ name = 'other', address = '127.0.0.1:1' }, { name = 'http', address = '"+c.address+"' }]\n")
		l, ok := g.ProbedListen()
		if ok != c.want || ok != (l.Name == "http") {
			t.Errorf("%s goes through %s: %v (%q)", c.probe, c.address, ok, l.Name)
		}
	}
}

func TestProbeOfAListenReachesAGatewayWithoutNetwork(t *testing.T) {
	parseOne(t, "[gateway.web]\nbundle = '/b'\nisolation.network = 'none'\nready.probe = 'http://127.0.0.1:8090/'\n"+
		"listen = [{ name = 'http', address = ':8090' }]\n")
}

func TestOverlaps(t *testing.T) {
	const listen = "listen = [{ name = 'a', address = ':1' }, { name = 'b', address = ':2', mode = 'proxy', to = "
	for text, want := range map[string]bool{
		"":                                 false,
		"listen = []":                      false,
		listen + "'127.0.0.1:9000' }]":     false,
		listen + "'[::1]:9000' }]":         false,
		listen + "'127.0.0.1:0' }]":        true,
		listen + "'unix:/run/web/sock' }]": true,
		"listen = [{ name = 'a', address = 'unix:/run/a' }]": true,
	} {
		if got := parseOne(t, "[gateway.web]\nbundle = '/b'\n"+text+"\n").Overlaps(); got != want {
			t.Errorf("%s overlaps: %v", text, got)
		}
	}
}
