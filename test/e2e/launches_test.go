package e2e

import (
	"flag"
	"testing"
	"time"
)

var launches = flag.Int("launches", 200, "how many launches TestLaunchesLeaveNothing makes at least")

// soaked are gateways whose launches begin and end in different ways. brief ends
// by itself, at once, and waits as little as can be configured; the test kills
// three others and deploys the last.
const soaked = `
[gateway.brief]
rootfs = "$ROOTFS"
command = ["/gateway", "exit=0"]
ready.probe = "none"
restart = { delay = "1ms", max_delay = "1ms", jitter = 0.0 }

[gateway.killed]
rootfs = "$ROOTFS"
stage = "copy"
command = ["/gateway", "out=begins", "notify"]
ready.probe = "notify"
restart = { delay = "1ms", max_delay = "1ms", jitter = 0.0 }

[gateway.created]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
restart = { delay = "1ms", max_delay = "1ms", jitter = 0.0 }
standby = "created"
listen = [{ name = "http", address = "127.0.0.1:$PORT" }]

[gateway.warm]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=/run/warm/socket"]
ready.probe = "http://127.0.0.1:$PORT2/"
restart = { delay = "1ms", max_delay = "1ms", jitter = 0.0 }
standby = "warm"
listen = [{ name = "http", address = "127.0.0.1:$PORT2", mode = "proxy", to = "unix:/run/warm/socket" }]

[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT3/"
listen = [{ name = "http", address = "127.0.0.1:$PORT3" }]
env.static = { TURN = "$TURN" }
`

// However many launches there were and however they began and ended, gatewayd has
// in the end what it had in the beginning: counts that are the same to the last
// one, and memory, threads and goroutines within bounds.
func TestLaunchesLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	s.round(warmUp, true)
	begin, from := s.settled(nil), s.made()
	b := newBook(t)
	b.line(0, begin, s.memory())
	rounds := max(2, *launches/1000)
	var before memory
	for n := 1; n <= rounds; n++ {
		// A new image has a new heap: the second half is of one.
		s.round(*launches/rounds, n <= rounds/2)
		b.line(s.made()-from, s.settled(begin), s.memory())
		if n == rounds/2 {
			before = s.rested()
		}
	}
	after := s.rested()
	b.line(s.made()-from, s.settled(begin), after)
	after.within(t, before)
	if made := s.made() - from; made < *launches {
		t.Errorf("%d launches, not %d", made, *launches)
	}
	s.mustStop()
	s.mustBeNothing()
}

// warmUp is how many launches there are before the first look: each kind of
// thing was done, what is kept of the last twenty revisions is there, and what is
// opened when it is first needed.
const warmUp = 60

// rested is the memory after a rest, in a long run: Go's runtime collects what is
// idle after two minutes (forcegcperiod in its proc.go). Nothing outside tells when
// it has, and no endpoint is worth having for that alone.
func (s *soak) rested() memory {
	if *launches > 1000 {
		time.Sleep(130 * time.Second)
	}
	return s.memory()
}

// More than before may be, of an image that makes launches:
//
//   - memory, since a heap is not collected before it has grown by a quarter and by
//     a megabyte, and what is free goes back to the kernel later. It was 1 MB up and
//     down. Over half of 10,000 launches the bound is 0.8 KiB for each, less than the
//     stack of one goroutine that stays.
//   - threads: Go's runtime keeps one for each call that ever blocked beside others.
//   - goroutines, since a probe or a call may be under way.
const (
	moreMemory     = 4 << 10 // KiB
	moreThreads    = 16
	moreGoroutines = 16
)

func (m memory) within(t *testing.T, before memory) {
	t.Helper()
	if m.pss > before.pss+moreMemory || m.rss > before.rss+moreMemory || m.threads > before.threads+moreThreads ||
		m.goroutines > before.goroutines+moreGoroutines {
		t.Errorf("KiB, threads and goroutines: %+v, were %+v", m, before)
	}
}
