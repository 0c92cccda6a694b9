package listen

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load connects from several sides until stop, and says what was not answered.
type load struct {
	asked  atomic.Int64
	faults chan error
	all    sync.WaitGroup
}

func startLoad(ctx context.Context, address string, clients int) *load {
	l := &load{faults: make(chan error, 1000)}
	for range clients {
		l.all.Go(func() {
			for ctx.Err() == nil {
				if err := l.ask(address); err != nil {
					l.faults <- err
				}
			}
		})
	}
	return l
}

func (l *load) ask(address string) error {
	l.asked.Add(1)
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(c); err != nil || len(got) == 0 {
		return fmt.Errorf("%q, %w", got, err)
	}
	return nil
}

// end waits for the last answer and reports.
func (l *load) end(t *testing.T, p *Port) {
	t.Helper()
	l.all.Wait()
	close(l.faults)
	for err := range l.faults {
		t.Error(err)
	}
	t.Logf("%d connections, %d rescued", l.asked.Load(), p.Rescued())
}

func TestSwitchesUnderLoad(t *testing.T) {
	for address, hosts := range families {
		t.Run(address, func(t *testing.T) {
			needs(t, hosts...)
			p := begin(t, address)
			var launches []*server
			for n := range 3 {
				launches = append(launches, launch(t, p, fmt.Sprint(n)))
			}
			ctx, stop := context.WithCancel(t.Context())
			l := startLoad(ctx, p.Address(), 4)
			for n := 0; n < 1000 || l.asked.Load() < 1000; n++ {
				s := launches[n%3]
				if err := p.Steer(s.Slot, []int{100, 30, 100, 0}[n%4]); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			l.end(t, p)
		})
	}
}

// Launches die and others take over, with what Mend proves in between: nobody is refused,
// and nobody waits for a dead one.
func TestTakeOversUnderLoad(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	serving := launch(t, p, "0")
	ctx, stop := context.WithCancel(t.Context())
	l := startLoad(ctx, p.Address(), 4)
	for n := range 100 {
		next := launch(t, p, fmt.Sprint(n+1))
		if n%2 == 0 { // a crash: the next one is told after it; else a deploy
			serving.Close()
		}
		if err := p.Steer(next.Slot, 100); err != nil {
			t.Fatal(err)
		}
		dial(t, next.Slot).Close()
		serving.end()
		if err := p.Mend(within(t)); err != nil {
			t.Fatal(err)
		}
		serving = next
	}
	stop()
	l.end(t, p)
}

// Nothing serves for a while, over and over.
func TestGapsUnderLoad(t *testing.T) {
	p := begin(t, "127.0.0.1:0")
	ctx, stop := context.WithCancel(t.Context())
	l := startLoad(ctx, p.Address(), 4)
	for n := range 50 {
		s := launch(t, p, fmt.Sprint(n))
		for asked := l.asked.Load(); l.asked.Load() < asked+20; {
			time.Sleep(time.Millisecond) // some are served
		}
		s.end()
		eventually(t, "all wait", func() bool { return p.Waiting() >= 4 })
	}
	launch(t, p, "last")
	stop()
	l.end(t, p)
	if n := p.Rescued(); n != 0 {
		t.Errorf("%d were rescued though the next launch takes the same slot", n)
	}
}
