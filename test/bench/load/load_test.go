package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const good = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

// serve answers each connection by a function, and returns its address.
func serve(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	return l.Addr().String()
}

// heard reads a request.
func heard(r *bufio.Reader) bool {
	_, err := http.ReadRequest(r)
	return err == nil
}

func talk(says string) func(net.Conn) {
	return func(conn net.Conn) {
		for r := bufio.NewReader(conn); heard(r); {
			io.WriteString(conn, says)
			if !strings.HasSuffix(says, "ok\n") {
				return
			}
		}
	}
}

func refusing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestEachRequestIsCountedAsWhatBecameOfIt(t *testing.T) {
	silent := serve(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	tests := map[string]struct {
		address string
		of      func(Count) int
	}{
		"ok":                 {serve(t, talk(good)), func(c Count) int { return c.OK }},
		"busy":               {serve(t, talk("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")), func(c Count) int { return c.Wrong }},
		"no length":          {serve(t, talk("HTTP/1.1 200 OK\r\n\r\n")), func(c Count) int { return c.Wrong }},
		"half an answer":     {serve(t, talk(good[:len(good)-1])), func(c Count) int { return c.Cut }},
		"half a header":      {serve(t, talk(good[:20])), func(c Count) int { return c.Cut }},
		"no answer":          {serve(t, talk("")), func(c Count) int { return c.Cut }},
		"refused":            {refusing(t), func(c Count) int { return c.Refused }},
		"silence":            {silent, func(c Count) int { return c.TimedOut }},
		"nobody in the port": {"127.0.0.1:1", func(c Count) int { return c.Refused }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			o := Options{Address: test.address, Fresh: 200, Kept: 2, Pause: time.Millisecond, Timeout: 100 * time.Millisecond}
			time.AfterFunc(300*time.Millisecond, cancel) // the length of the run
			r := Run(ctx, o)
			for kind, c := range map[string]Count{"fresh": r.Fresh, "kept": r.Kept} {
				if all := c.OK + c.Failed(); all == 0 || test.of(c) != all || len(c.Failures) != c.Failed() {
					c.Failures = c.Failures[:min(1, len(c.Failures))]
					t.Errorf("%s: %+v", kind, c)
				}
			}
		})
	}
}

// The server may close a connection between two requests, and may announce it.
func TestKeptConnectsAgainWithoutAFailure(t *testing.T) {
	for name, says := range map[string]string{
		"after each answer": good,
		"as announced":      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n",
	} {
		var connections atomic.Int32
		address := serve(t, func(conn net.Conn) {
			connections.Add(1)
			heard(bufio.NewReader(conn))
			io.WriteString(conn, says)
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		// The pause lets the end of the connection arrive.
		c := Run(ctx, Options{Address: address, Kept: 1, Pause: 20 * time.Millisecond}).Kept
		if c.Failed() != 0 || c.OK < 2 || int(connections.Load()) < c.OK {
			t.Errorf("%s: %+v on %d connections", name, c, connections.Load())
		}
	}
}

func TestBulk(t *testing.T) {
	address := serve(t, func(conn net.Conn) {
		for r := bufio.NewReader(conn); heard(r); {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", each)
			io.Copy(conn, io.LimitReader(zeros{}, each))
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if r := Run(ctx, Options{Address: address, Bulk: 1}); r.Bulk <= 0 {
		t.Errorf("%+v", r)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestMainSaysWhenItIsReadyAndCounts(t *testing.T) {
	var out bytes.Buffer
	if err := Main(t.Context(), []string{"-address", serve(t, talk(good)), "-fresh", "100", "-kept", "1", "-for", "100ms"}, &out); err != nil {
		t.Fatal(err)
	}
	ready, rest, _ := strings.Cut(out.String(), "\n")
	var r Result
	if err := json.Unmarshal([]byte(rest), &r); err != nil || ready != "ready" || r.Fresh.OK == 0 || r.Kept.OK == 0 || r.Kept.Latency.Median <= 0 {
		t.Errorf("%v: %s", err, out.String())
	}
	for _, args := range [][]string{{}, {"-address", "x"}, {"-fresh", "1"}, {"-address", "x", "-fresh", "2000000"}} {
		if err := Main(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q is not refused", args)
		}
	}
}

func TestHold(t *testing.T) {
	var open atomic.Int32
	address := serve(t, func(conn net.Conn) {
		open.Add(1)
		defer open.Add(-1)
		talk(good)(conn)
	})
	held, err := Hold(t.Context(), address, 20)
	if err != nil || open.Load() != 20 {
		t.Fatalf("%d open, %v", open.Load(), err)
	}
	held.Release()
	if _, err := Hold(t.Context(), refusing(t), 1); err == nil {
		t.Error("holds what is refused")
	}
}

func TestTally(t *testing.T) {
	first := 0
	tally := &tally{first: func() { first++ }}
	for range 3 {
		tally.add(Now(), nil)
	}
	if c := tally.count(); first != 1 || c.OK != 3 || c.Gap <= 0 || c.Latency.Max < c.Latency.Median {
		t.Errorf("%d times first, %+v", first, c)
	}
	sum := Count{OK: 1, Cut: 2, Gap: 5}.Add(Count{OK: 2, Refused: 3, Gap: 4, Failures: []Failure{{}}})
	if sum.OK != 3 || sum.Failed() != 5 || sum.Gap != 5 || len(sum.Failures) != 1 {
		t.Errorf("%+v", sum)
	}
}

func TestStray(t *testing.T) {
	kills := []Kill{{Sent: 100, Dead: 110}, {Sent: 200, Dead: 210}}
	tests := map[string]struct {
		began, ended int64
		stray        int
	}{
		"in flight":                  {95, 105, 0},
		"begun while it died":        {108, 112, 0},
		"in flight at the second":    {150, 205, 0},
		"begun when it was dead":     {111, 130, 1},
		"over before the signal":     {50, 99, 1},
		"between two kills":          {120, 190, 1},
		"begun before, failed after": {90, 5000, 0},
	}
	for name, test := range tests {
		if got := Stray([]Failure{{Kind: "refused"}, {Began: test.began, Ended: test.ended}}, kills); got != test.stray {
			t.Errorf("%s: %d", name, got)
		}
	}
}
