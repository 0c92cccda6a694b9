package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// clients ask a gateway all the time: 250 new ones a second, and where it is
// asked for some that keep their connections.
type clients struct {
	end    context.CancelFunc
	ready  chan struct{}
	result chan load.Result
}

// What becomes of a client that is not answered. Cut: it was connected, and got
// no whole answer.
const (
	refused = "refused"
	cut     = "cut"
	late    = "late"
)

// startLoad has clients ask the gateway at a port.
func (i *instance) startLoad(port string) *clients { return i.startClients(port, 0) }

// startFew is for where many tests share the machine.
func (i *instance) startFew(port string) *clients { return i.startAsking(port, 25, 0) }

func (i *instance) startClients(port string, kept int) *clients {
	return i.startAsking(port, 250, kept)
}

func (i *instance) startAsking(port string, fresh, kept int) *clients {
	ctx, cancel := context.WithCancel(context.Background())
	i.t.Cleanup(cancel)
	c := &clients{cancel, make(chan struct{}), make(chan load.Result, 1)}
	o := load.Options{
		Address: "127.0.0.1:" + i.values[port], Path: "/", Fresh: fresh, Kept: kept, Pause: 5 * time.Millisecond, Timeout: patience,
		Ready: func() { close(c.ready) },
	}
	go func() { c.result <- load.Run(ctx, o) }()
	return c
}

// stop waits for all clients and fails where one of them met what none may.
func (c *clients) stop(t testing.TB, none ...string) load.Result {
	t.Helper()
	c.end()
	r := <-c.result
	for kind, n := range map[string]load.Count{"new": r.Fresh, "kept": r.Kept} {
		counts := map[string]int{refused: n.Refused, late: n.TimedOut, cut: n.Reset + n.Cut + n.Wrong}
		t.Logf("%s connections: %d answered, %v", kind, n.OK, counts)
		for _, what := range none {
			if counts[what] > 0 {
				t.Errorf("%d clients with %s connections were %s: %+v", counts[what], kind, what, n.Failures[0])
			}
		}
	}
	if r.Fresh.OK == 0 {
		t.Error("not one client was answered")
	}
	return r
}

// askOnce is one client: a connection, a request, an answer.
func askOnce(address string) error {
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		err = fmt.Errorf("answered %.40q", answer)
	}
	return err
}
