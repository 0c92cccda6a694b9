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

	"github.com/gatewayd/gatewayd/internal/step"
)

// The unit has systemd start gatewayd again at once, without a limit: a limit
// would also refuse a person's start, and systemd 252 knows no growing delay.
// So a start that fails is counted, and the start that systemd makes of it waits
// here. A person's start comes later than that, and waits for nothing.

const (
	restartGap     = 3 * time.Second // systemd's restart follows a failure within it, ExecStopPost= included
	failedWaitUnit = 100 * time.Millisecond
	failedWaitMost = 30 * time.Second
	strangerWait   = 5 * time.Second // where nothing can be counted: the directories are another's
)

// backOff is the last that a daemon does that ends with an error: it sees to it
// that systemd, which starts it again, does not do so in a busy loop.
func (d *daemon) backOff(err error) {
	if d.announced || !d.env.systemd.Service || exitCode(err) == exitConfig {
		return // it was up, or nobody starts it again
	}
	if d.lock == nil {
		d.wait(strangerWait)
		return
	}
	if err := d.countFailure(); err != nil {
		d.log.Warn("a failed start is not counted", zap.Error(err))
		d.wait(strangerWait)
	}
}

// wait is cut short by the first signal to end.
func (d *daemon) wait(t time.Duration) {
	select {
	case <-time.After(t):
	case <-d.signals.context().Done():
	}
}

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
	return parseFailures(data), info.ModTime()
}

// parseFailures takes what is no count for none, and bounds it: a negative one, or
// one that another failure makes negative, would be no time to wait.
func parseFailures(data []byte) int {
	n, _ := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return int(min(n, 1<<30))
}

func (d *daemon) countFailure() error {
	n, _ := d.failures()
	if err := os.WriteFile(d.failuresFile(), []byte(strconv.Itoa(n+1)), 0o600); err != nil {
		return fmt.Errorf("count failed start: %w", err)
	}
	step.Done("failure-counted")
	return nil
}

func (d *daemon) forgetFailures() error {
	if err := os.Remove(d.failuresFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	step.Done("failures-forgotten")
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
	text := fmt.Sprintf("waiting %s, since the last %s failed", wait, count(n, "start"))
	d.log.Warn(text, event("daemon-started"), zap.Int("failures", n))
	_ = d.notifier.Status(text)
	_ = d.notifier.Extend(wait + extendBy)
	d.wait(wait)
	if err := d.signals.context().Err(); err != nil {
		return errors.Join(err, d.forgetFailures())
	}
	return nil
}

func failedWait(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(failedWaitUnit<<min(n, 16), failedWaitMost)
}
