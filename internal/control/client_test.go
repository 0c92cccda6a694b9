package control

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	abandon(t, path)
	if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a socket that nobody listens on: %v", err)
	}
	locked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(locked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(filepath.Join(locked, "control.sock")).Status(t.Context()); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("below a file: %v", err)
	}
}

// abandon leaves a socket as a killed daemon does.
func abandon(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
}

// A newer daemon may say more than this client knows.
func TestClientPassesOverUnknownFields(t *testing.T) {
	path := answering(t, 200, `{"version":"9","news":1,"gateways":[{"name":"web","news":{}}]}`)
	r, err := Dial(path).Status(t.Context())
	if err != nil || r.Version != "9" || r.Gateways[0].Name != "web" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestClientDoesNotBelieveEverything(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
	}{{200, `[]`}, {200, ``}, {500, `oops`}, {500, `{}`}, {302, ``}, {204, ``}, {200, `{"version":"` + strings.Repeat("x", maxAnswer) + `"}`}} {
		_, err := Dial(answering(t, test.status, test.body)).Status(t.Context())
		var e *Error
		if err == nil || errors.As(err, &e) || errors.Is(err, ErrNotRunning) {
			t.Errorf("%d %.20s: %v", test.status, test.body, err)
		}
	}
}

// answering is a daemon that always says the same.
func answering(t *testing.T, status int, body string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return path
}
