package systemd

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runDir makes a /run with these sockets.
func runDir(t *testing.T, sockets ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range sockets {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	return dir
}

func TestScopePrepare(t *testing.T) {
	uid := os.Getuid()
	for _, test := range []struct {
		name    string
		uid     int
		sockets []string
		environ []string
		want    string // in the error; "": none
	}{
		{"again", uid, nil, []string{"GATEWAYD_SCOPE=1"}, "this is one already"},
		{"root without systemd", 0, nil, nil, "systemd does not run on this machine"},
		{"root", 0, []string{"systemd/private"}, nil, ""},
		{"no runtime directory", 1001, nil, []string{"XDG_RUNTIME_DIR="}, "user/1001 is missing: "},
		{"another user's directory", 4242, []string{"user/4242/bus"}, nil, "belongs to uid"},
	} {
		s := scope{uid: test.uid, run: runDir(t, test.sockets...), environ: test.environ}
		err := s.prepare()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if err == nil && !InScope(s.getenv) {
			t.Errorf("%s: no guard against a loop", test.name)
		}
	}
}

// The rules for users, with files of whoever runs the test.
func TestScopePrepareUser(t *testing.T) {
	uid := os.Getuid()
	dir := runDir(t, "xdg/systemd/private", "xdg/bus", "no-manager/bus", "no-bus/systemd/private")
	for name, want := range map[string]string{"no-manager": "no systemd user manager runs", "no-bus": "bus is missing: install dbus-user-session"} {
		s := scope{uid: uid, run: dir, environ: []string{"XDG_RUNTIME_DIR=" + dir + "/" + name}}
		if err := s.prepareUser(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	given := []string{"DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=" + dir + "/xdg", "TERM=x"}
	s := scope{uid: uid, run: dir, environ: given}
	if err := s.prepareUser(); err != nil {
		t.Fatal(err)
	}
	want := []string{"XDG_RUNTIME_DIR=" + dir + "/xdg", "TERM=x", "DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir + "/xdg/bus"}
	if !slices.Equal(s.environ, want) || given[0] != "DBUS_SESSION_BUS_ADDRESS=" {
		t.Errorf("%q", s.environ)
	}
}

func TestScopeArgv(t *testing.T) {
	s := scope{uid: 1001}
	want := "systemd-run --quiet --scope --collect -p Delegate=yes --user -- /usr/bin/gatewayd run --config x"
	if got := strings.Join(s.argv("/usr/bin/gatewayd", []string{"run", "--config", "x"}), " "); got != want {
		t.Errorf("got %s", got)
	}
	s.uid = 0
	if got := s.argv("/usr/bin/gatewayd", nil); slices.Contains(got, "--user") {
		t.Errorf("got %s", got)
	}
}

func TestStartScopeSaysWhyNot(t *testing.T) {
	err := StartScope("/usr/bin/gatewayd", nil, []string{"GATEWAYD_SCOPE=1"})
	if err == nil || err.Error() != "start a delegated scope: this is one already, and its cgroup is not ours to use" {
		t.Error(err)
	}
	if _, err := findProgram("no-such-program", "/usr/bin", "/bin"); err == nil || err.Error() != "no-such-program is not in /usr/bin or /bin" {
		t.Error(err)
	}
}
