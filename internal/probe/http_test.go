package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds a probe that is expected to be answered.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// briefly bounds a probe that is expected to find no answer.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func server(t *testing.T, answer http.HandlerFunc) string {
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// rawServer answers each connection by talk, which gets it after the request.
func rawServer(t *testing.T, talk func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			talk(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String() + "/healthz"
}

func TestHTTPCodes(t *testing.T) {
	for code, good := range map[int]bool{200: true, 204: true, 299: true, 302: true, 399: true, 400: false, 401: false, 404: false, 500: false, 503: false} {
		url := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) })
		if err := HTTP(url, nil, nil)(soon(t)); (err == nil) != good {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestHTTPAsks(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.Path != "/healthz" || r.URL.RawQuery != "full=1" || r.UserAgent() != "gatewayd-probe" {
			t.Errorf("asked %s %s as %q", r.Method, r.URL, r.UserAgent())
		}
		if u, p, _ := r.BasicAuth(); u != "night" || p != "watch" {
			t.Errorf("user %q, password %q", u, p)
		}
	})
	if err := HTTP(strings.Replace(url, "//", "//night:watch@", 1)+"/healthz?full=1", nil, nil)(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestHTTPErrorTexts(t *testing.T) {
	starting := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		fmt.Fprint(w, "starting\x1b[2J\n")
	})
	closed := rawServer(t, func(net.Conn) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // now nobody listens there
	refused := "http://user:secret@" + l.Addr().String() + "/healthz"
	for _, test := range []struct{ url, want string }{
		{starting, "GET " + starting + `: answered 503 Service Unavailable: "starting\x1b[2J"`},
		{closed, "GET " + closed + ": connection closed before a whole answer came"},
		{refused, "GET http://user:xxxxx@" + l.Addr().String() + "/healthz: connection refused"},
	} {
		if err := HTTP(test.url, nil, nil)(soon(t)); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

func TestHTTPTimeout(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"silence": func(c net.Conn) { c.Read(make([]byte, 1)) },
		"slow loris": func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := fmt.Fprint(c, "X"); err != nil {
					return
				}
				time.Sleep(time.Millisecond) // the slowness is what is tested
			}
		},
	} {
		url := rawServer(t, talk)
		err := HTTP(url, nil, nil)(briefly(t))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "GET "+url+": no answer within ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHTTPCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := rawServer(t, func(c net.Conn) { cancel(); c.Read(make([]byte, 1)) })
	if err := HTTP(url, nil, nil)(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// endless writes text until the other side has gone.
func endless(c net.Conn, text string) {
	for {
		if _, err := fmt.Fprint(c, text); err != nil {
			return
		}
	}
}

func TestHTTPHostile(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"endless headers": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n"); endless(c, "A: b\r\n") },
		"endless header":  func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nA: "); endless(c, "bbbbbbbb") },
		"endless 103":     func(c net.Conn) { endless(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") },
		"HTTP/0.9":        func(c net.Conn) { endless(c, "<html>\x1b[2J\x07") },
		"SSH":             func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.9\r\n") },
		"raw header":      func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\x1b[2J\x07\r\n\r\n") },
		"code of letters": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 abc \x07\r\n\r\n") },
	} {
		err := HTTP(rawServer(t, talk), nil, nil)(soon(t))
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\x1b\x07\r\n") || len(text) > 2*maxExcerpt {
			t.Errorf("%s: %d bytes: %q", name, len(text), text)
		}
	}
}

func TestHTTPEndlessBody(t *testing.T) {
	url := rawServer(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n"); endless(c, "body ") })
	if err := HTTP(url, nil, nil)(soon(t)); err != nil {
		t.Errorf("good answer: %v", err)
	}
	url = rawServer(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 500 \r\n\r\n"); endless(c, "body ") })
	ctx := soon(t)
	if err := HTTP(url, nil, nil)(ctx); err == nil || len(err.Error()) > 2*maxExcerpt || !strings.Contains(err.Error(), "body body") || ctx.Err() != nil {
		t.Errorf("bad answer: %v", err)
	}
}

func TestHTTPBodyThatHangs(t *testing.T) {
	url := rawServer(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 500 \r\n\r\nwhy"); c.Read(make([]byte, 1)) })
	if err := HTTP(url, nil, nil)(briefly(t)); err == nil || !strings.Contains(err.Error(), `answered 500 Internal Server Error: "why"`) {
		t.Error(err)
	}
}

func TestHTTPRedirectIsNotFollowed(t *testing.T) {
	asked := 0
	url := server(t, func(w http.ResponseWriter, r *http.Request) { asked++; http.Redirect(w, r, "/", http.StatusFound) })
	if err := HTTP(url, nil, nil)(soon(t)); err != nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	if err := HTTP(s.URL, nil, nil)(soon(t)); err == nil || !strings.Contains(err.Error(), "answered 404") {
		t.Errorf("self-signed: %v", err)
	}
	plain := server(t, func(http.ResponseWriter, *http.Request) {})
	if err := HTTP(strings.Replace(plain, "http:", "https:", 1), nil, nil)(soon(t)); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("plain server: %v", err)
	}
}

func TestHTTPMakesAConnectionEachTime(t *testing.T) {
	peers := map[string]bool{}
	url := server(t, func(w http.ResponseWriter, r *http.Request) { peers[r.RemoteAddr] = true })
	probe := HTTP(url, nil, nil)
	for range 3 {
		if err := probe(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	if len(peers) != 3 {
		t.Errorf("%d connections for 3 probes", len(peers))
	}
}

// A proxy is for what a gateway asks of the world, not for our question to it.
// (net/http reads the environment once and goes around it for loopback, so
// that no request of a test could show this.)
func TestHTTPUsesNoProxy(t *testing.T) {
	if newClient(nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is asked")
	}
}

// Errors of net/http hold words of the server; that it quotes them is its choice.
func TestPlainQuotesWhatItDoesNotKnow(t *testing.T) {
	cause := errors.New("malformed: \x1b[2J\r\n\xff" + strings.Repeat("x", 10_000))
	err := plain(t.Context(), time.Now(), cause)
	if text := err.Error(); !strings.HasPrefix(text, `malformed: \x1b[2J\r\n`) || len(text) > 2*maxExcerpt || !errors.Is(err, cause) {
		t.Errorf("%q", text)
	}
}
