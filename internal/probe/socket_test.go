package probe

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := TCP(l.Addr().String(), nil)(soon(t)); err != nil {
		t.Error(err)
	}
	l.Close()
	want := "connect to tcp://" + l.Addr().String() + ": connection refused"
	if err := TCP(l.Addr().String(), nil)(soon(t)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// listenUnix makes a socket that accepts, and a directory for it.
func listenUnix(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestUnix(t *testing.T) {
	dir := t.TempDir()
	listenUnix(t, dir+"/root/run/web.sock")
	for name, target := range map[string]string{
		"absolute.sock": "/run/web.sock",
		"dots.sock":     "../../../../run/web.sock",
	} {
		if err := os.Symlink(target, dir+"/root/run/"+name); err != nil {
			t.Fatal(err)
		}
	}
	root := func() (string, error) { return dir + "/root", nil }
	for _, path := range []string{"/run/web.sock", "/run/absolute.sock", "/run/dots.sock", "/../run/web.sock"} {
		if err := Unix(root, path)(soon(t)); err != nil {
			t.Error(err)
		}
	}
	err := Unix(root, "/run/none.sock")(soon(t))
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "connect to unix:///run/none.sock: no such file or directory" {
		t.Error(err)
	}
}

// A gateway that puts a link in place of its socket must not make the probe
// knock at a door of the host.
func TestUnixStaysInRoot(t *testing.T) {
	dir := t.TempDir()
	listenUnix(t, dir+"/host/bus")
	if err := os.MkdirAll(dir+"/root/run", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"absolute": dir + "/host/bus",
		"dots":     "../../host/bus",
		"magic":    "/proc/self/root" + dir + "/host/bus",
	} {
		if err := os.Symlink(target, dir+"/root/run/"+name); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(target); err != nil && name != "dots" {
			t.Fatalf("the test proves nothing: %v", err)
		}
		if err := Unix(func() (string, error) { return dir + "/root", nil }, "/run/"+name)(soon(t)); err == nil {
			t.Errorf("%s: connected outside of the root", name)
		}
	}
}

func TestUnixWithoutListener(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root := func() (string, error) { return dir, nil }
	if err := Unix(root, "/file")(soon(t)); err == nil || err.Error() != "connect to unix:///file: connection refused" {
		t.Error(err)
	}
	gone := errors.New("launch 3 has ended")
	if err := Unix(func() (string, error) { return "", gone }, "/file")(soon(t)); !errors.Is(err, gone) {
		t.Error(err)
	}
}

// Where a dial is given, what the URL names is not connected to.
func TestDialInPlaceOfTheURL(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "192.0.2.1:80" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer s.Close()
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}
	for name, probe := range map[string]Probe{"http": HTTP("http://192.0.2.1:80/", dial, nil), "tcp": TCP("192.0.2.1:80", dial)} {
		if err := probe(soon(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobody := func(context.Context) (net.Conn, error) { return nil, errors.New("the launch has ended") }
	want := "GET " + s.URL + ": the launch has ended"
	if err := HTTP(s.URL, nobody, nil)(soon(t)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
