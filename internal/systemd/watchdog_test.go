package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// KeepAlive is silent while the daemon does not answer: that is its whole worth.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Second)
		defer cancel()
		began := time.Now()
		answers := func(ctx context.Context) error {
			switch at := time.Since(began); {
			case at > 65*time.Second && at < 119*time.Second:
				return errors.New("the loop is gone")
			case at > 119*time.Second && at < 179*time.Second:
				<-ctx.Done()
				return ctx.Err()
			case at > 179*time.Second && at < 239*time.Second:
				<-ctx.Done()
				return nil // too late
			}
			return nil
		}
		var sent []int
		keepAlive(ctx, 30*time.Second, answers, func() { sent = append(sent, int(time.Since(began).Seconds())) })
		if want := []int{0, 15, 30, 45, 60, 240}; !slices.Equal(sent, want) {
			t.Errorf("WATCHDOG=1 at %v, want %v", sent, want)
		}
		if took := time.Since(began); took != 250*time.Second {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestKeepAliveWithoutWatchdog(t *testing.T) {
	Notifier{}.KeepAlive(t.Context(), 0, func(context.Context) error { t.Error("asked"); return nil })
}

// A daemon without a descriptor to spare lives, and says so.
func TestHeartbeatWithoutDescriptors(t *testing.T) {
	conn := manager(t)
	var h heartbeat
	defer h.close()
	h.beat(time.Minute)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	h.beat(time.Minute)
	_, err := os.Open("/dev/null")
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("there were descriptors: %v", err)
	}
	for range 2 {
		if got := hear(t, conn); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
}

// A manager that was executed anew may listen anew.
func TestHeartbeatReachesTheNextManager(t *testing.T) {
	before := manager(t)
	var h heartbeat
	defer h.close()
	h.beat(time.Minute)
	hear(t, before)
	before.Close()
	_ = os.Remove(os.Getenv("NOTIFY_SOCKET"))
	next, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	h.beat(time.Minute)
	if got := hear(t, next); got != "WATCHDOG=1" {
		t.Errorf("%q", got)
	}
}
