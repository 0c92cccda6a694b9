package proxy

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// Who comes after Hold is answered by the next one that has the listener; what
// was accepted before goes on.
func TestHold(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			old, next := start(t, network, says("old")), start(t, network, says("next"))
			p := serve(t, network, Options{Park: limit})
			p.Add(1, old.dial())
			p.Switch(1, 100)
			before := p.client(t)
			ask(t, before, "a", "old a")
			listener := copyListener(t, p)
			p.Hold(true)
			after := p.client(t)
			ask(t, before, "b", "old b")

			q := New(listener, Options{Park: limit, Held: true})
			defer q.Close()
			q.Add(1, next.dial())
			q.Switch(1, 100)
			q.Hold(false)
			ask(t, after, "c", "next c")
			if s := p.Stats(); s.Accepted != 1 {
				t.Errorf("the old one has accepted %d", s.Accepted)
			}
		})
	}
}

// Full or not, it stops.
func TestHoldOfAFullProxy(t *testing.T) {
	old, next := start(t, "tcp", says("old")), start(t, "tcp", says("next"))
	p := serve(t, "tcp", Options{Park: limit, Max: 1})
	p.Add(1, old.dial())
	p.Switch(1, 100)
	before := p.client(t)
	ask(t, before, "a", "old a")
	after := p.client(t) // waits for room
	listener := copyListener(t, p)
	p.Hold(true)
	before.Close()
	q := New(listener, Options{Park: limit})
	defer q.Close()
	q.Add(1, next.dial())
	q.Switch(1, 100)
	ask(t, after, "b", "next b")
}

// One that was held accepts again, and parks as long as it was told meanwhile.
func TestHoldIsUndone(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.Hold(true)
	c := p.client(t)
	p.SetPark(0)
	p.Hold(false)
	if _, err := c.Read(make([]byte, 1)); err == nil || p.Stats().Refused != 1 {
		t.Errorf("%v, stats %+v", err, p.Stats())
	}
}

// Who was accepted has had an answer, or has gone, when Settle returns: its program
// may close its listener then.
func TestSettle(t *testing.T) {
	answer := make(chan struct{})
	p := serve(t, "tcp", Options{Park: limit})
	p.Add(1, start(t, "tcp", func(c net.Conn) {
		<-answer
		says("one")(c)
	}).dial())
	p.Switch(1, 100)
	c := p.client(t)
	io.WriteString(c, "a\n\x00")
	eventually(t, "relayed", func() bool { return p.moved() > 0 })
	p.Hold(true)
	bounded, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if p.Settle(bounded); bounded.Err() == nil {
		t.Error("it is settled, and the client has no answer")
	}
	close(answer)
	settling, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if p.Settle(settling); settling.Err() != nil {
		t.Error("it is not settled, and the client has its answer")
	}
}

// Settle waits for who was accepted, or may try again, a moment ago, and not for who
// waits for a program.
func TestSettleKnowsWhoIsOnTheWay(t *testing.T) {
	p := serve(t, "tcp", Options{Park: limit})
	p.client(t)
	eventually(t, "parked", func() bool { return p.Stats().Parked == 1 })
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if c.dialling() {
			t.Error("one that is parked dials")
		}
		if c.rouse(); !c.dialling() {
			t.Error("one that may try again does not dial")
		}
	}
	if accepted := (&conn{p: p}); !accepted.dialling() {
		t.Error("one that was accepted a moment ago does not dial")
	}
}
