package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// free is an address that nobody has.
func free(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port)
}

// isNamed says whether err is a TakenError with the holder in it.
func isNamed(t *testing.T, err error, pid int) {
	t.Helper()
	var taken *TakenError
	if !errors.As(err, &taken) || !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("no TakenError: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("listen.test (pid %d)", pid)) {
		t.Errorf("process %d is not named: %v", pid, err)
	}
}

func TestTaken(t *testing.T) {
	for name, c := range map[string]struct{ theirs, ours, order string }{
		"the same":                     {"127.0.0.1", "127.0.0.1", "bind"},
		"through SO_REUSEPORT":         {"127.0.0.1", "127.0.0.1", "join"},
		"a wildcard before us":         {"0.0.0.0", "127.0.0.1", "join"},
		"an address of our wildcard":   {"127.0.0.1", "0.0.0.0", "join"},
		"IPv6":                         {"::1", "::1", "join"},
		"both families before IPv4":    {"::", "127.0.0.1", "join"},
		"IPv4 before both families":    {"127.0.0.1", "::", "join"},
		"a wildcard of IPv4 before us": {"0.0.0.0", "", "bind"},
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, c.theirs, c.ours)
			theirs := free(t, c.theirs)
			other := startHolder(t, nil)
			other.must(t, c.order+" "+theirs)
			_, port, _ := net.SplitHostPort(theirs)
			p, err := Open(within(t), Options{Address: net.JoinHostPort(c.ours, port)})
			if err == nil {
				p.Close()
				t.Fatal("a port that is taken is opened")
			}
			isNamed(t, err, other.pid)
		})
	}
}

func TestTakenBySomebodyHidden(t *testing.T) {
	err := error(&TakenError{Address: "127.0.0.1:80", Holders: holders(map[uint64]int{1 << 60: 33})})
	if want := "a process of user 33, which /proc does not tell"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if err := (&TakenError{Address: "127.0.0.1:80"}); !strings.Contains(err.Error(), "does not show") {
		t.Error(err)
	}
}

// A stranger joins the group of a port that is there already.
func TestStranger(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	one, two := launch(t, p, "one"), launch(t, p, "two")
	if err := p.Steer(two.Slot, 100); err != nil {
		t.Fatal(err)
	}
	stranger := startHolder(t, nil)
	stranger.must(t, "join "+p.Address())
	isNamed(t, p.Mend(within(t)), stranger.pid)
	for range 20 {
		if got := who(t, p.Address()); got != "two" {
			t.Fatalf("%q answers", got)
		}
	}
	// The stranger is the last member, and takes the place of one that is shut down.
	if err := unix.Shutdown(p.members[one.n].fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	isNamed(t, p.Mend(within(t)), stranger.pid)
	for _, s := range []*server{two} {
		if got := answer(t, dial(t, s.Slot)); got != s.name {
			t.Errorf("%q answers for %q", got, s.name)
		}
	}
	if place := p.members[one.n].place; place != slots+1 {
		t.Errorf("the slot that listens again is at place %d", place)
	}
	stranger.end(t)
	if err := p.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	dial(t, two.Slot).Close()
}

// The place of the steered slot is not deduced from the others where a stranger could be there.
func TestStrangerInTheSteeredPlace(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	stranger := startHolder(t, nil)
	stranger.must(t, "join "+p.Address())
	if err := unix.Shutdown(p.members[0].fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	isNamed(t, p.Mend(within(t)), stranger.pid)
	launch(t, p, "one")
	if got := who(t, p.Address()); got != "one" {
		t.Errorf("%q answers", got)
	}
}

// A stranger on an address of a wildcard port gets what comes there; it is no member.
func TestStrangerOnOneAddress(t *testing.T) {
	p := begin(t, "0.0.0.0:0")
	launch(t, p, "one")
	stranger := startHolder(t, nil)
	stranger.must(t, "join 127.0.0.9:"+port(p))
	isNamed(t, p.Mend(within(t)), stranger.pid)
	if got := who(t, p.Address()); got != "one" {
		t.Errorf("%q answers", got)
	}
	for range 15 { // what is asked for the stranger's sake is any member, by chance
		isNamed(t, p.Mend(within(t)), stranger.pid)
		if got := fmt.Sprint(p.State().Places); got != "[1 2 3 4 5 6 7 8 0]" {
			t.Fatalf("the order is %s", got)
		}
	}
}

// Two gateways with the same address: the second one is told who has it.
func TestTakenByGatewaydItself(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	_, err := Open(within(t), Options{Address: p.Address()})
	isNamed(t, err, os.Getpid())
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		port, other string
		want        bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true}, {"127.0.0.1:1", "127.0.0.2:1", false},
		{"127.0.0.1:1", "0.0.0.0:1", true}, {"0.0.0.0:1", "127.0.0.2:1", true},
		{"[::]:1", "127.0.0.1:1", true}, {"[::]:1", "[::1]:1", true}, {"0.0.0.0:1", "[::1]:1", false},
		{"127.0.0.1:1", "[::]:1", true}, {"[::1]:1", "0.0.0.0:1", false}, {"[::1]:1", "[::]:1", true},
	} {
		own, _ := resolve(t.Context(), c.port)
		other, _ := resolve(t.Context(), c.other)
		if got := own.covers(other.on.Addr()); got != c.want {
			t.Errorf("%s and %s: %v", c.port, c.other, got)
		}
	}
}
