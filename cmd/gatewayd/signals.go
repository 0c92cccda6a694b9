package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals turns what the process is sent into what the daemon waits for.
type signals struct {
	received chan os.Signal
	reload   chan struct{} // SIGHUP
	hurry    chan struct{} // closed at the second SIGTERM or SIGINT
	ctx      context.Context
	end      context.CancelFunc // at the first one
}

// catchSignals takes SIGHUP for a reload, or, with hangup, for the end of the
// terminal and so of the daemon.
func catchSignals(hangup bool) *signals {
	s := &signals{
		received: make(chan os.Signal, 8),
		reload:   make(chan struct{}, 1),
		hurry:    make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.catch()
	go s.sort(hangup)
	return s
}

func (s *signals) catch() { signal.Notify(s.received, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) }

// settled is an error when this process was asked to end by a signal that was
// delivered before the call.
func (s *signals) settled() error {
	m := marker{make(chan struct{})}
	s.received <- m
	<-m.passed
	return s.ctx.Err()
}

// marker goes through the channel of signals, behind those that are in it.
type marker struct{ passed chan struct{} }

// Signal makes it an os.Signal.
func (marker) Signal() {}

func (marker) String() string { return "marker" }

// context ends when the daemon is asked to.
func (s *signals) context() context.Context { return s.ctx }

func (s *signals) stop() {
	signal.Stop(s.received)
	close(s.received)
	s.end()
}

func (s *signals) sort(hangup bool) {
	ends := 0
	for received := range s.received {
		if m, is := received.(marker); is {
			close(m.passed)
			continue
		}
		if received == syscall.SIGHUP && !hangup {
			select {
			case s.reload <- struct{}{}:
			default: // one is pending, which will read the newest file
			}
			continue
		}
		s.end()
		if ends++; ends == 2 {
			close(s.hurry)
		}
	}
}
