package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// blabber is a daemon that puts a secret into whatever it answers.
type blabber struct{ *fake }

const canary = "canary\"/\n<42>"

func (b blabber) Status(context.Context) Report {
	return Report{Version: "1", Gateways: []Gateway{{Name: "gateways", Cause: "exit code 1: " + canary, Leftovers: []string{canary, "/" + canary}}}}
}

// No answer has a secret, whatever route it is of and whatever it says; the
// names of fields stay what they are.
func TestAnswersAreRedacted(t *testing.T) {
	secrets := &redact.Set{}
	secrets.Add("token", []byte(canary))
	secrets.Add("field", []byte("gateways"))
	d := blabber{newFake()}
	d.err = &Error{CodeRolledBack, "launch 9: " + canary}
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go Serve(t.Context(), l, d, secrets)
	report, err := Dial(path).Status(t.Context())
	if err != nil || len(report.Gateways) != 1 {
		t.Fatal(report, err)
	}
	if g := report.Gateways[0]; g.Name != "[redacted field]" || g.Cause != "exit code 1: [redacted token]" || g.Leftovers[1] != "/[redacted token]" {
		t.Errorf("%+v", g)
	}
	if err := Dial(path).Restart(t.Context(), "web"); err == nil || err.Error() != "launch 9: [redacted token]" || !hasCode(err, CodeRolledBack) {
		t.Errorf("%v", err)
	}
	if got := ask(t, path, "/none/canary%22/%0a%3c42%3e"); strings.Contains(got, "canary") || !strings.Contains(got, "no such route: GET /none/[redacted token]") {
		t.Error(got)
	}
}

// Also of a route that answers with something else than JSON.
func TestTextIsRedacted(t *testing.T) {
	secrets := &redact.Set{}
	secrets.Add("token", []byte(canary))
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, redacting(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, b := range []byte("a " + canary + " b") {
			w.Write([]byte{b})
		}
	}), secrets))
	if got := ask(t, path, "/"); got != "a [redacted token] b" {
		t.Errorf("%q", got)
	}
}

func ask(t *testing.T, socket, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }}}
	response, err := client.Get("http://gatewayd" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func hasCode(err error, code string) bool {
	var answered *Error
	return errors.As(err, &answered) && answered.Code == code
}
