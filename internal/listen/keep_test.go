package listen

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// store is an fd store: it has copies, and gives them to the next gatewayd.
type store struct {
	mu    sync.Mutex
	files map[string][]*os.File
	fault error
}

func newStore(t *testing.T) *store {
	s := &store{files: map[string][]*os.File{}}
	t.Cleanup(func() {
		for name := range s.files {
			_ = s.Drop(name)
		}
	})
	return s
}

// Keep does as systemd does, which does not store an open file a second time.
func (s *store) Keep(name string, f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	for _, has := range s.files[name] {
		if inode(int(has.Fd())) == inode(int(f.Fd())) {
			return nil
		}
	}
	copied, err := duplicate(int(f.Fd()), name)
	s.files[name] = append(s.files[name], copied)
	return err
}

func (s *store) Drop(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files[name] {
		f.Close()
	}
	delete(s.files, name)
	return nil
}

func (s *store) names() []string { return slices.Sorted(maps.Keys(s.files)) }

// sockets are what the next gatewayd inherits.
func (s *store) sockets(t *testing.T) *Sockets {
	t.Helper()
	files := map[string][]*os.File{}
	for name, all := range s.files {
		for _, f := range all {
			copied, err := duplicate(int(f.Fd()), name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = append(files[name], copied)
		}
	}
	sockets := NewSockets(files)
	t.Cleanup(func() { closeFiles(sockets.files) })
	return sockets
}

func kept(s *store, sockets *Sockets) func(*Options) {
	return func(o *Options) { o.Keeper, o.Sockets = s, sockets }
}

func logged(lines *[]string) func(*Options) {
	return func(o *Options) {
		o.Log = func(msg string, err error) { *lines = append(*lines, fmt.Sprintf("%s: %v", msg, err)) }
	}
}

func connectTo(t *testing.T, p *Port) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", p.Address(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// gatewayd and all its launches are killed; what waits is served by the next one.
func TestStore(t *testing.T) {
	for address, hosts := range families {
		t.Run(address, func(t *testing.T) {
			needs(t, hosts...)
			s := newStore(t)
			first := begin(t, address, kept(s, nil))
			if got := s.names(); len(got) != slots+1 || got[0] != first.at.key("0") || got[slots] != first.at.key("control") || strings.Contains(got[0], ":") {
				t.Fatalf("kept are %s", got)
			}
			take(t, first)
			steered := take(t, first)
			astray := connectTo(t, first)
			if err := first.Steer(steered, 100); err != nil {
				t.Fatal(err)
			}
			waiting := []net.Conn{connectTo(t, first), connectTo(t, first), connectTo(t, first)}
			first.Leave()
			between := connectTo(t, first)

			sockets := s.sockets(t)
			next := begin(t, net.JoinHostPort(host(address), port(first)), kept(s, sockets))
			if rest := sockets.Rest(); len(rest) != 0 {
				t.Errorf("left are %s", rest)
			}
			if next.Steered() != steered.n {
				t.Errorf("slot %d is steered, and in %d they wait", next.Steered(), steered.n)
			}
			launch(t, next, "next")
			for _, c := range append(waiting, astray, between) {
				if got := answer(t, c); got != "next" {
					t.Errorf("%q answers", got)
				}
			}
			if n := next.Rescued(); n != 1 {
				t.Errorf("%d of 1 was rescued", n)
			}
			if err := next.Close(); err != nil {
				t.Fatal(err)
			}
			if left := s.names(); len(left) != 0 {
				t.Errorf("the store keeps %s of a port that is closed", left)
			}
		})
	}
}

func host(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// Whatever came of what was kept, the port is there in the end, and the reason is told.
func TestStoreThatIsOfNoUse(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, *store, *Port)
		want  string
	}{
		"one is missing": {func(_ *testing.T, s *store, p *Port) { _ = s.Drop(p.at.key("3")) }, "socket 3: is not there"},
		"another address": {func(t *testing.T, s *store, p *Port) {
			other := begin(t, "127.0.0.1:0")
			_ = s.Drop(p.at.key("3"))
			f, err := other.file(other.members[3])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_ = s.Keep(p.at.key("3"), f)
		}, "is bound to 127.0.0.1:"},
		"no socket": {func(t *testing.T, s *store, p *Port) {
			_ = s.Drop(p.at.key("control"))
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			_ = s.Keep(p.at.key("control"), r)
		}, "socket control: getsockopt"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			first := begin(t, "127.0.0.1:0", kept(s, nil))
			c.spoil(t, s, first)
			first.Leave()
			sockets := s.sockets(t)
			for _, name := range s.names() { // else it would listen on
				_ = s.Drop(name)
			}
			var lines []string
			next := begin(t, first.Address(), kept(s, sockets), logged(&lines))
			launch(t, next, "next")
			if got := who(t, next.Address()); got != "next" {
				t.Errorf("%q answers", got)
			}
			if got := strings.Join(lines, "\n"); !strings.Contains(got, c.want) {
				t.Errorf("%q is not told: %q", c.want, got)
			}
			if got := len(s.names()); got != slots+1 {
				t.Errorf("%d are kept", got)
			}
		})
	}
}

// A crash between two Keeps, or a program that had shut its slot down.
func TestStoreThatIsMended(t *testing.T) {
	s := newStore(t)
	first := begin(t, "127.0.0.1:0", kept(s, nil))
	if err := unix.Shutdown(first.members[2].fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	twice, err := first.file(first.members[4])
	if err != nil {
		t.Fatal(err)
	}
	four := first.at.key("4")
	s.files[four] = append(s.files[four], twice)
	first.Leave()
	var lines []string
	next := begin(t, first.Address(), kept(s, s.sockets(t)), logged(&lines))
	if next.Kind() != Slots || len(lines) != 1 || !strings.Contains(lines[0], "socket 2") {
		t.Errorf("%s, %q", next.Kind(), lines)
	}
	for _, want := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if got := answer(t, dial(t, launch(t, next, want).Slot)); got != want {
			t.Errorf("%q answers for %q", got, want)
		}
	}
}

// systemd drops what hangs up, as a socket does that is shut down.
func TestStoreGetsBackWhatIsShutDown(t *testing.T) {
	s := newStore(t)
	p := begin(t, "127.0.0.1:0", kept(s, nil))
	if err := unix.Shutdown(p.members[2].fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(p.at.key("2")); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := len(s.names()); got != slots+1 {
		t.Errorf("%d are kept", got)
	}
}

func TestStoreThatIsFull(t *testing.T) {
	s := newStore(t)
	s.fault = errors.New("the store is full")
	var lines []string
	p := begin(t, "127.0.0.1:0", kept(s, nil), logged(&lines))
	launch(t, p, "one")
	if got := who(t, p.Address()); got != "one" || len(lines) != slots+1 {
		t.Errorf("%q answers, and it was told %d times", got, len(lines))
	}
}

// unsteered opens the one socket of a kernel that does not steer.
func unsteered(t *testing.T, o Options) (*Port, error) {
	at, err := resolve(t.Context(), o.Address)
	if err != nil {
		return nil, err
	}
	o.Backlog = 128
	return openUnsteered(o, at, errors.New("for a test"))
}

// A port that had slots has one socket for all now, and the other way round.
func TestStoreOfAnotherKind(t *testing.T) {
	s := newStore(t)
	first := begin(t, "127.0.0.1:0", kept(s, nil))
	open := func(o Options) (*Port, error) { return Open(within(t), o) }
	single := func(o Options) (*Port, error) { return unsteered(t, o) }
	for n, open := range []func(Options) (*Port, error){single, single, open} {
		first.Leave()
		sockets := s.sockets(t)
		if n != 1 { // the same kind is taken over
			for _, name := range s.names() {
				_ = s.Drop(name)
			}
		}
		next, err := open(Options{Address: first.Address(), Keeper: s, Sockets: sockets})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = next.Close() })
		if rest := sockets.Rest(); len(rest) != 0 {
			t.Errorf("left are %s", rest)
		}
		if got, want := len(s.names()), []int{1, 1, slots + 1}[n]; got != want {
			t.Errorf("%d are kept, want %d", got, want)
		}
		first = next
	}
}

// Another image of this process goes on with launches that have their slots.
func TestAnotherImage(t *testing.T) {
	first := begin(t, "127.0.0.1:0")
	good, frozen := launch(t, first, "good"), take(t, first)
	if err := first.Steer(good.Slot, 100); err != nil {
		t.Fatal(err)
	}
	if err := unix.Shutdown(first.members[frozen.n].fd, unix.SHUT_RDWR); err != nil { // the order is not the one of the beginning
		t.Fatal(err)
	}
	if err := first.Mend(within(t)); err != nil {
		t.Fatal(err)
	}
	held := dial(t, frozen)
	files, err := first.Files()
	if err != nil {
		t.Fatal(err)
	}
	state := first.State()
	first.Leave()

	next := begin(t, first.Address(), func(o *Options) { o.Sockets, o.State = NewSockets(files), &state })
	if got := next.Steered(); got != good.n {
		t.Errorf("slot %d is steered", got)
	}
	slot, err := next.Hold(good.n)
	if err != nil {
		t.Fatal(err)
	}
	other, err := next.Hold(frozen.n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Hold(7); err == nil {
		t.Error("a slot that nobody had is held")
	}
	if got := who(t, next.Address()); got != "good" {
		t.Errorf("%q answers", got)
	}
	if got := answer(t, dial(t, slot)); got != "good" {
		t.Errorf("%q answers", got)
	}
	if n, err := other.InFlight(); n != 1 || err != nil || next.Rescued() != 0 {
		t.Errorf("%d wait for the launch that is held back (%v), %d were taken away", n, err, next.Rescued())
	}
	other.Release()
	if got := answer(t, held); got != "good" {
		t.Errorf("%q answers", got)
	}
}

// Where the proof cannot find a member, because of its queue, it is where it was.
func TestStateHasThePlaces(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	want := State{Steered: 3, Held: []int{0, 1, 2, 3, 4, 5, 6, 7}, Places: []int{1, 2, 8, 4, 5, 6, 7, 3, 0}}
	if err := p.resume(&want); err != nil {
		t.Fatal(err)
	}
	if got := p.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestStateOfAnotherKind(t *testing.T) {
	first := begin(t, "127.0.0.1:0")
	files, err := first.Files()
	if err != nil {
		t.Fatal(err)
	}
	first.Leave()
	if p, err := Open(within(t), Options{Address: first.Address(), Sockets: NewSockets(files), State: &State{Steered: 9}}); err == nil {
		p.Close()
		t.Error("a state that cannot be is taken")
	}
}

func TestSockets(t *testing.T) {
	f := func() *os.File { r, w, _ := os.Pipe(); w.Close(); return r }
	one, two := keyPrefix+"a", keyPrefix+"b"
	s := NewSockets(map[string][]*os.File{one: {f()}, two: {f(), f()}, "web.socket": {f()}})
	for _, f := range s.take(one) {
		f.Close()
	}
	if got := fmt.Sprint(s.Rest(), s.Lent(), len(s.take(one))); got != "[listen=b web.socket] [web.socket] 0" {
		t.Error(got)
	}
	if got := fmt.Sprint(s.CloseRest(), s.Rest()); got != "[listen=b] [web.socket]" {
		t.Error(got)
	}
	copies, err := s.Files()
	if err != nil || len(copies["web.socket"]) != 1 {
		t.Errorf("copies are %v, %v", copies, err)
	}
	closeFiles(copies)
	closeFiles(s.files)
	if got := fmt.Sprint((*Sockets)(nil).CloseRest()); got != "[]" {
		t.Error(got)
	}
}
