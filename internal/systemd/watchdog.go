package systemd

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// KeepAlive sends WATCHDOG=1 at once and twice in each interval, as long as
// answers returns nil within half of it. It returns when ctx ends, or at once
// when interval is 0. An answers that hangs or fails means silence: the manager
// then ends and restarts us.
func (n Notifier) KeepAlive(ctx context.Context, interval time.Duration, answers func(context.Context) error) {
	var h heartbeat
	defer h.close()
	keepAlive(ctx, interval, answers, func() { h.beat(interval / 2) })
}

func keepAlive(ctx context.Context, interval time.Duration, answers func(context.Context) error, send func()) {
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		if alive(ctx, interval/2, answers) {
			send()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func alive(ctx context.Context, limit time.Duration, answers func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return answers(ctx) == nil && ctx.Err() == nil
}

// heartbeat keeps its socket: a daemon that gets no descriptor for another one lives,
// and would be killed if it could not say so.
type heartbeat struct{ conn *net.UnixConn }

// beat sends once, and over a new socket where the manager has left the old one. The
// next beat comes soon, and nobody could act on an error.
func (h *heartbeat) beat(within time.Duration) {
	if h.conn != nil && h.send(within) == nil {
		return
	}
	h.close()
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	h.conn = conn
	_ = h.send(within)
}

func (h *heartbeat) send(within time.Duration) error {
	_ = h.conn.SetWriteDeadline(time.Now().Add(within)) // a manager that hangs takes nothing
	_, err := h.conn.Write([]byte(daemon.SdNotifyWatchdog))
	return err
}

func (h *heartbeat) close() {
	if h.conn != nil {
		_ = h.conn.Close() // what was sent is with the manager
		h.conn = nil
	}
}
