package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostile is a port with a good launch that serves and a hostile one beside it.
func hostile(t *testing.T) (p *Port, good *server, bad *holder) {
	p = begin(t, "127.0.0.1:0")
	bad = startHolder(t, take(t, p))
	good = launch(t, p, "good")
	if err := p.Steer(good.Slot, 100); err != nil {
		t.Fatal(err)
	}
	return p, good, bad
}

func TestAttachThroughASlotIsRefused(t *testing.T) {
	_, _, bad := hostile(t)
	if got := bad.does(t, "attach"); got != unix.EPERM.Error() {
		t.Errorf("attach: %s", got)
	}
	if got := bad.does(t, "unlock"); got != unix.EPERM.Error() && os.Getuid() != 0 {
		t.Errorf("unlock: %s", got)
	}
}

// Shutting a slot down shifts the order: the last member moves to its place.
func TestShutdownIsMended(t *testing.T) {
	p, good, bad := hostile(t)
	bad.must(t, "shutdown")
	if listening(p.members[bad.n].fd) {
		t.Fatal("it listens yet: this tests nothing")
	}
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	if p.members[bad.n].place == bad.n+1 {
		t.Error("nothing has shifted: this tests nothing")
	}
	for range 50 {
		if got := who(t, p.Address()); got != "good" {
			t.Fatalf("%q answers", got)
		}
	}
	bad.must(t, "serve bad")
	if got := answer(t, dial(t, bad.Slot)); got != "bad" {
		t.Errorf("%q answers for the one that listens again", got)
	}
	if got := answer(t, dial(t, good.Slot)); got != "good" {
		t.Errorf("%q answers", got)
	}
}

// The slot that new connections go to may be the one that is shut down: what goes astray
// meanwhile is rescued, and the rescue mends.
func TestShutdownOfTheServingSlot(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	bad := startHolder(t, take(t, p))
	bad.must(t, "serve bad")
	bad.must(t, "shutdown")
	for range 20 {
		c, err := net.DialTimeout("tcp", p.Address(), patience)
		if err != nil {
			t.Fatalf("a client was refused: %v", err)
		}
		defer c.Close()
	}
	bad.end(t)
	next := launch(t, p, "next")
	if err := p.Steer(next.Slot, 100); err != nil {
		t.Fatal(err)
	}
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got := who(t, p.Address()); got != "next" {
			t.Fatalf("%q answers", got)
		}
	}
}

// A program may shut down and listen again by itself: nothing looks wrong but the order.
func TestOrderIsProved(t *testing.T) {
	p, good, bad := hostile(t)
	bad.must(t, "shutdown")
	bad.must(t, "listen")
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, dial(t, good.Slot)); got != "good" {
		t.Errorf("%q answers", got)
	}
	if info, err := unix.GetsockoptTCPInfo(p.members[bad.n].fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil || info.Sacked != 4096 {
		t.Errorf("its backlog is %d (%v)", info.Sacked, err)
	}
}

// Check does not go to programs, and notices by the others what a program has done.
func TestCheck(t *testing.T) {
	p, _, bad := hostile(t)
	waiting := func() int { return queued(p.members[bad.n].fd) }
	before := waiting()
	if err := p.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	if n := waiting() - before; n != 0 {
		t.Errorf("a program is bothered %d times", n)
	}
	bad.must(t, "shutdown")
	bad.must(t, "listen")
	bad.must(t, "detach")
	if err := p.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	dial(t, bad.Slot).Close()
	if got := who(t, p.Address()); got != "good" {
		t.Errorf("%q answers", got)
	}
	bad.must(t, "shutdown")
	if err := p.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	dial(t, bad.Slot).Close()
	stranger := startHolder(t, nil)
	stranger.must(t, "join "+p.Address())
	isNamed(t, p.Check(within(t)), stranger.pid)
}

// Proofs that gatewayd itself has accepted, and its rescues, give their descriptors back.
func TestNoDescriptorIsLeft(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would hide it
	p := begin(t, "127.0.0.1:0")
	open := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := open()
	for range 20 {
		if err := p.Mend(within(t)); err != nil {
			t.Fatal(err)
		}
		s := take(t, p)
		c := dial(t, s)
		if err := p.Check(within(t)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		s.Release()
	}
	eventually(t, "all are closed", func() bool { return open() <= before })
}

func TestDialNoticesAnotherOrder(t *testing.T) {
	_, _, bad := hostile(t)
	bad.must(t, "shutdown")
	bad.must(t, "listen")
	if c, err := bad.Dial(within(t)); err == nil {
		c.Close()
		t.Error("another member has answered for the slot")
	} else if !strings.Contains(err.Error(), "order") {
		t.Error(err)
	}
}

func TestDetachIsMended(t *testing.T) {
	p, _, bad := hostile(t)
	bad.must(t, "detach")
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	before := p.Rescued()
	for range 100 {
		if got := who(t, p.Address()); got != "good" {
			t.Fatalf("%q answers", got)
		}
	}
	if n := p.Rescued() - before; n != 0 {
		t.Errorf("%d went astray", n)
	}
}

func TestMarksAreMended(t *testing.T) {
	p, _, bad := hostile(t)
	bad.must(t, "mark")
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	dial(t, bad.Slot).Close()
}

// A listener that blocks must block nobody but its own program.
func TestBlockingSlot(t *testing.T) {
	p, _, bad := hostile(t)
	bad.must(t, "block")
	if nonblocking(t, p.members[bad.n].fd) {
		t.Fatal("it does not block: this tests nothing")
	}
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	bad.end(t) // from here on it is rescued from
	for s := take(t, p); ; s = take(t, p) {
		if !nonblocking(t, p.members[s.n].fd) {
			t.Errorf("slot %d blocks its next program", s.n)
		}
		if s.n == bad.n {
			break
		}
	}
}

// Nobody rescues from the steered slot between two launches.
func TestBlockingSteeredSlot(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	bad := startHolder(t, take(t, p))
	bad.must(t, "block")
	bad.end(t)
	if s := take(t, p); s.n != bad.n || !nonblocking(t, p.members[s.n].fd) {
		t.Errorf("slot %d blocks its next program", s.n)
	}
}

// The copy of a program that outlives its launch, or was sent elsewhere.
func TestBlockingSlotThatIsRescuedFrom(t *testing.T) {
	p, _, bad := hostile(t)
	bad.Release()
	for range 20 {
		bad.must(t, "block")
		if err := p.Mend(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// Nobody accepts, and the queue is full: its place is known by all others.
func TestFullQueue(t *testing.T) {
	p, good, bad := hostile(t)
	bad.must(t, "listen")
	for range 2 {
		c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port(p)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 2 { // a queue of 0 takes one
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if c, err := bad.Dial(ctx); err == nil {
			defer c.Close()
		}
		stop()
	}
	place := p.members[bad.n].place
	found, err := p.survey(within(t), p.places(0))
	if err == nil || len(found) != slots {
		t.Fatalf("%v, %v: this tests nothing", found, err)
	}
	if err := p.settle(found); err != nil || p.members[bad.n].place != place {
		t.Errorf("place %d, was %d, %v", p.members[bad.n].place, place, err)
	}
	if got := answer(t, dial(t, good.Slot)); got != "good" {
		t.Errorf("%q answers", got)
	}
}

// nginx and haproxy know TCP_DEFER_ACCEPT: there is no connection before data comes.
func TestDeferredAccept(t *testing.T) {
	_, _, bad := hostile(t)
	bad.must(t, "defer")
	bad.must(t, "serve late")
	c := dial(t, bad.Slot)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, c); got != "late" {
		t.Errorf("%q answers", got)
	}
}

func TestPlaces(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	expect := func(when string, strangers int, want string) {
		t.Helper()
		if got := fmt.Sprint(p.places(strangers)); got != want {
			t.Errorf("%s: %s are asked, want %s", when, got, want)
		}
	}
	expect("the steered slot waits", 0, "[0 2 3 4 5 6 7 8]")
	expect("with a stranger", 1, "[0 1 2 3 4 5 6 7 8 9]")
	take(t, p)
	expect("a launch has it", 0, "[0 1 2 3 4 5 6 7 8]")
}

func TestSettle(t *testing.T) {
	all := func(places ...int) map[mark]int {
		found := map[mark]int{}
		for n, place := range places {
			if place >= 0 {
				found[mark(n+1)] = place
			}
		}
		return found
	}
	for name, c := range map[string]struct {
		found map[mark]int
		want  string // places, or an error
	}{
		"as it was":            {all(1, 2, 3, 4, 5, 6, 7, 8, 0), "[1 2 3 4 5 6 7 8 0]"},
		"shifted":              {all(8, 2, 3, 4, 5, 6, 7, 1, 0), "[8 2 3 4 5 6 7 1 0]"},
		"nobody was found":     {all(), "[1 2 3 4 5 6 7 8 0]"},
		"two keep their place": {all(-1, 2, -1, 4, 5, 6, 7, 8, 0), "[1 2 3 4 5 6 7 8 0]"},
		"the last one left":    {all(-1, 2, 3, 4, 5, 6, 7, 1, 0), "[8 2 3 4 5 6 7 1 0]"},
		"two are lost":         {all(-1, -1, 1, 2, 5, 6, 7, 8, 0), "nobody knows where 2 of the sockets are"},
		"a stranger between":   {all(9, 2, 3, 4, 5, 6, 7, 8, 0), "[9 2 3 4 5 6 7 8 0]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := begin(t, "127.0.0.1:0")
			for n := range slots { // so that no rescue begins
				p.members[n].held = true
			}
			err := p.settle(c.found)
			got := fmt.Sprint(p.State().Places)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestMendOfAClosedPort(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	p.Close()
	if err := p.Mend(within(t)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := p.Take(within(t)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
