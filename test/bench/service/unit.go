// Package service keeps a gateway alive as a unit of the user's manager, in each
// of the ways that are compared, and looks at what is alive.
package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Patience bounds each single thing that is waited for.
const Patience = 30 * time.Second

// Prefix of the names of all units and of what belongs to them.
const Prefix = "gatewayd-bench-"

// Unit is one way to keep the gateway alive.
type Unit struct {
	Name    string            // of the unit: gatewayd-bench-KEY.service
	Address string            // where its gateway is asked
	files   map[string]string // relative to the directory of units → text
	sockets []string          // units that are stopped before it
	remove  []string          // argv that removes what a stop may leave; nil: none
	control string            // gatewayd's control socket; empty: another one supervises
	env     []string          // what its gatewayd has in its environment, for commands
}

func newUnit(key, address string) *Unit {
	return &Unit{Name: Prefix + key + ".service", Address: address, files: map[string]string{}}
}

// Systemctl talks to the user's manager and returns what it prints.
func Systemctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("systemctl --user %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// Directory is where unit files are found until the next boot.
func Directory() string { return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd", "user") }

// Write puts the unit's files there. The manager has to be told (daemon-reload).
func (u *Unit) Write(dir string) error {
	for name, text := range u.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes them.
func (u *Unit) Remove(dir string) error {
	var errs []error
	for name := range u.files {
		path := filepath.Join(dir, name)
		if parent := filepath.Dir(path); strings.HasSuffix(parent, ".service.d") {
			path = parent
		}
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// Stop ends the unit, also when the bench itself is being ended. A unit that
// never ran is stopped already.
func (u *Unit) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	_, err := Systemctl(ctx, append(append([]string{"stop"}, u.sockets...), u.Name)...)
	if u.remove != nil {
		if _, missing := exec.LookPath(u.remove[0]); missing == nil {
			err = errors.Join(err, exec.CommandContext(ctx, u.remove[0], u.remove[1:]...).Run())
		}
	}
	_, _ = Systemctl(ctx, "reset-failed", u.Name) // an error says that it was not failed
	return err
}

// Explain adds what the unit said last to an error.
func (u *Unit) Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	out, problem := exec.CommandContext(ctx, "journalctl", "--user", "--unit="+u.Name, "--lines=8", "--output=cat", "--no-pager").CombinedOutput()
	if problem != nil {
		return err
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(out)))
}
