package systemd

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/step"
)

// maxStatus bounds STATUS=, in bytes: a manager takes datagrams of 4 KiB, and
// `systemctl status` shows one line.
const maxStatus = 1024

// Notifier tells the service manager how we are, without the values of Secrets.
// The zero Notifier works. It
// does nothing where NOTIFY_SOCKET is not set. Its methods may block while the
// manager is hung, so they are not for the loop of a gateway.
type Notifier struct{ Secrets *redact.Set }

// Ready says that the start, or a reload, is finished.
func (n Notifier) Ready(status string) error {
	return n.send(daemon.SdNotifyReady, n.statusLine(status))
}

// Status replaces the words that `systemctl status` shows.
func (n Notifier) Status(status string) error { return n.send(n.statusLine(status)) }

// Stopping says that the end has begun.
func (n Notifier) Stopping(status string) error {
	return n.send(daemon.SdNotifyStopping, n.statusLine(status))
}

// Reloading says that the configuration is read again; Ready ends it. The time
// is what Type=notify-reload wants; Type=notify does not mind.
func (n Notifier) Reloading(status string) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read clock: %w", err)
	}
	usec := fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/int64(time.Microsecond))
	return n.send(daemon.SdNotifyReloading, usec, n.statusLine(status))
}

// Extend asks for d more, from now on, for the start, reload or stop that is
// under way. The manager counts the unit as failed if neither the end nor a
// further Extend comes within d.
func (n Notifier) Extend(d time.Duration) error {
	return n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", max(d, time.Second).Microseconds()))
}

func (Notifier) send(lines ...string) error {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	step.Done("manager-told")
	return nil
}

// statusLine makes the STATUS= of one line: a newline in it would begin a
// variable of its own, and the text holds words of gateways.
func (n Notifier) statusLine(text string) string {
	return "STATUS=" + oneLine(n.Secrets.String(text), maxStatus)
}

// oneLine replaces what is not printable, and cuts text to limit bytes between
// two characters.
func oneLine(text string, limit int) string {
	text = strings.ToValidUTF8(text, string(unicode.ReplacementChar))
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
