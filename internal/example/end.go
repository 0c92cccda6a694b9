package example

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// server is an http.Server that ends without losing what it has accepted.
type server struct {
	http      *http.Server
	listeners []net.Listener
	log       io.Writer
	returned  chan error // of Serve, for each listener
	ending    atomic.Bool
	open      sync.WaitGroup // connections
}

func (s *server) start() {
	for _, l := range s.listeners {
		fmt.Fprintf(s.log, "example gateway listens on %s\n", l.Addr())
		go func() { s.returned <- s.http.Serve(l) }()
	}
}

// end goes through the steps that the package describes.
func (s *server) end(linger time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if linger > 0 {
		s.ending.Store(true)
		s.stopAccepting()
		s.linger(linger)
	}
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		_ = s.http.Close()
		return fmt.Errorf("end: requests were in flight for more than %s", patience)
	}
	return err
}

// stopAccepting returns when what had been accepted is counted: Serve counts a
// connection before it returns.
func (s *server) stopAccepting() {
	for _, l := range s.listeners {
		_ = l.Close() // its error is that it is closed
	}
	for range s.listeners {
		if err := <-s.returned; !errors.Is(err, net.ErrClosed) {
			fmt.Fprintf(s.log, "serve: %v\n", err)
		}
	}
}

// linger waits until no connection is open, and no longer than d.
func (s *server) linger(d time.Duration) {
	none := make(chan struct{})
	go func() { s.open.Wait(); close(none) }() // ends with Shutdown or Close at the latest
	select {
	case <-none:
	case <-time.After(d):
	}
}

func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Done()
	}
}

// sayingGoodbye puts "Connection: close" on every answer that begins while the
// server ends, also on that of a request which came before.
func (s *server) sayingGoodbye(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&goodbye{w, &s.ending}, r)
	})
}

type goodbye struct {
	http.ResponseWriter
	ending *atomic.Bool
}

func (g *goodbye) Unwrap() http.ResponseWriter { return g.ResponseWriter } // for http.ResponseController

func (g *goodbye) WriteHeader(status int) {
	g.say()
	g.ResponseWriter.WriteHeader(status)
}

func (g *goodbye) Write(b []byte) (int, error) {
	g.say()
	return g.ResponseWriter.Write(b)
}

func (g *goodbye) say() {
	if g.ending.Load() {
		g.Header().Set("Connection", "close") // no effect once the header is out
	}
}
