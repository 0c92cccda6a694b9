package probe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// A secret in what a gateway says is taken out before its words are shortened:
// a part of it would not be recognised any more.
func TestWordsAreRedactedWhole(t *testing.T) {
	const canary = "canary value\nof two lines"
	secrets := &redact.Set{}
	const word = "canary-word"
	secrets.Add("token", []byte(canary))
	secrets.Add("token", []byte(word))
	for _, before := range []int{0, maxExcerpt - 5, maxExcerpt - 20} {
		said := strings.Repeat("x", before) + canary
		line := strings.Repeat("x", before) + word + "\r\n\r\n"
		after := canary + strings.Repeat("x", before)
		for name, probe := range map[string]Probe{
			"body":    HTTP(saying(t, func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = w.Write([]byte(said)) }), nil, secrets),
			"no HTTP": HTTP(rawServer(t, func(c net.Conn) { _, _ = c.Write([]byte(line)) }), nil, secrets),
			"exec": Exec(func(ctx context.Context) *exec.Cmd {
				return exec.CommandContext(ctx, "/bin/sh", "-c", `printf %s "$1"; exit 1`, "sh", after)
			}, secrets),
		} {
			err := probe(soon(t))
			if err == nil || strings.Contains(err.Error(), "can") || strings.Contains(err.Error(), "two lines") || before == 0 && !strings.Contains(err.Error(), "[redacted token]") {
				t.Errorf("%s after %d: %v", name, before, err)
			}
		}
		if m := parse([]byte("STATUS="+strings.ReplaceAll(said, "\n", " ")), secrets); strings.Contains(m.status, "canary") {
			t.Errorf("status after %d: %s", before, m.status)
		}
	}
}

func saying(t *testing.T, say func(http.ResponseWriter)) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w) }))
	t.Cleanup(s.Close)
	return s.URL
}
