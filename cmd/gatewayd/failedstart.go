package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// The unit has systemd start gatewayd again at once, without a limit: a limit
// would also refuse a person's start, and systemd 252 knows no growing delay.
// So a start at which no gateway came up is counted, and the start that systemd
// makes of it waits here. A person's start comes later than that, and waits for
// nothing.

const (
	restartGap     = time.Second // systemd's restart follows a failure within it
	failedWaitUnit = 100 * time.Millisecond
	failedWaitMost = 30 * time.Second
)

func (d *daemon) failuresFile() string { return filepath.Join(d.host.Dirs.State, "failed-starts") }

// failures reads how many starts have failed in a row, and when the last did.
func (d *daemon) failures() (n int, last time.Time) {
	data, err := os.ReadFile(d.failuresFile())
	if err != nil {
		return 0, time.Time{}
	}
	info, err := os.Stat(d.failuresFile())
	if err != nil {
		return 0, time.Time{}
	}
	n, _ = strconv.Atoi(strings.TrimSpace(string(data)))
	return n, info.ModTime()
}

func (d *daemon) countFailure() error {
	n, _ := d.failures()
	if err := os.WriteFile(d.failuresFile(), []byte(strconv.Itoa(n+1)), 0o600); err != nil {
		return fmt.Errorf("count failed start: %w", err)
	}
	return nil
}

func (d *daemon) forgetFailures() error {
	if err := os.Remove(d.failuresFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// waitAfterFailures waits where systemd, not a person, starts what has just
// failed. Asked to end meanwhile, it returns at once and the count is forgotten.
func (d *daemon) waitAfterFailures() error {
	n, last := d.failures()
	wait := failedWait(n)
	if !d.env.systemd.Service || time.Since(last).Abs() > restartGap || wait == 0 {
		return nil
	}
	text := fmt.Sprintf("waiting %s: no gateway came up in the last %s", wait, count(n, "start"))
	d.log.Warn(text, event("daemon-started"), zap.Int("failures", n))
	_ = d.notifier.Status(text)
	_ = d.notifier.Extend(wait + extendBy)
	select {
	case <-time.After(wait):
		return nil
	case <-d.signals.context().Done():
		return errors.Join(d.signals.context().Err(), d.forgetFailures())
	}
}

func failedWait(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(failedWaitUnit<<min(n, 16), failedWaitMost)
}
