package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// load is what many clients saw, each of which connected anew.
type load struct {
	end func()
	all sync.WaitGroup

	mu     sync.Mutex
	counts map[string]int
	first  map[string]error
}

// What becomes of a client. Cut: it was connected, and got no whole answer.
const (
	answered = "answered"
	refused  = "refused"
	cut      = "cut"
	late     = "late"
)

// startLoad has one client a millisecond ask the gateway at a port.
func (i *instance) startLoad(port string) *load {
	ctx, cancel := context.WithCancel(context.Background())
	i.t.Cleanup(cancel)
	l := &load{end: cancel, counts: map[string]int{}, first: map[string]error{}}
	address := "127.0.0.1:" + i.values[port]
	l.all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.all.Go(func() { l.count(askOnce(address)) })
			}
		}
	})
	return l
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

func (l *load) count(err error) {
	what := cut
	switch {
	case err == nil:
		what = answered
	case errors.Is(err, syscall.ECONNREFUSED):
		what = refused
	case errors.Is(err, os.ErrDeadlineExceeded):
		what = late
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
	if l.first[what] == nil {
		l.first[what] = err
	}
}

// stop waits for all clients and fails where one of them met what none may.
func (l *load) stop(t *testing.T, none ...string) {
	t.Helper()
	l.end()
	l.all.Wait()
	t.Logf("clients: %v, first: %v", l.counts, l.first)
	if l.counts[answered] == 0 {
		t.Error("not one client was answered")
	}
	for _, what := range none {
		if n := l.counts[what]; n > 0 {
			t.Errorf("%d clients were %s: %v", n, what, l.first[what])
		}
	}
}
