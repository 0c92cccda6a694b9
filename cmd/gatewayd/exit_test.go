package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the machine is short of for a moment is no fault of the configuration, for which
// systemd would not start gatewayd again.
func TestShortageIsNoFaultOfTheConfiguration(t *testing.T) {
	for err, want := range map[error]int{
		codeError{exitConfig, errors.New("no gateway is configured")}:                          exitConfig,
		codeError{exitConfig, fmt.Errorf("read configuration: %w", unix.ENOENT)}:               exitConfig,
		codeError{exitConfig, fmt.Errorf("read configuration: %w", unix.ENFILE)}:               exitFailure,
		codeError{exitConfig, fmt.Errorf("find runtime auto: fork/exec: %w", unix.EAGAIN)}:     exitFailure,
		codeError{exitNotReady, fmt.Errorf("whatever it is that says so: %w", unix.ENOMEM)}:    exitNotReady,
		errors.Join(errors.New("no"), codeError{exitConfig, fmt.Errorf("read: %w", unix.EIO)}): exitFailure,
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit code %d, not %d", err, got, want)
		}
	}
}

// A trial that was written down before the clock was set back does not last for an hour
// more than it was given.
func TestTrialEndsThoughTheClockIsSetBack(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, -time.Hour: -time.Hour, time.Hour + time.Minute: 5 * time.Minute,
	} {
		if got := trialEnd(now, now.Add(left), 5*time.Minute); got.Sub(now) != want {
			t.Errorf("%v left: ends in %v, not in %v", left, got.Sub(now), want)
		}
	}
}
