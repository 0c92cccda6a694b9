package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemctl talks to the user's manager and returns what it prints.
func systemctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("systemctl --user %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// write puts the unit's files where the user's manager finds them until the next
// boot.
func (c *column) write(units string) error {
	for name, text := range c.files {
		path := filepath.Join(units, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the unit, also when the bench itself is being ended. A unit that
// never ran is stopped already.
func (c *column) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, err := systemctl(ctx, "stop", c.unit)
	if c.remove != nil {
		if _, missing := exec.LookPath(c.remove[0]); missing == nil {
			err = errors.Join(err, exec.CommandContext(ctx, c.remove[0], c.remove[1:]...).Run())
		}
	}
	_, _ = systemctl(ctx, "reset-failed", c.unit) // an error says that it was not failed
	return err
}

// journal is what the unit said last, for an error.
func (c *column) journal(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--user", "--unit="+c.unit, "--lines=8", "--output=cat", "--no-pager").CombinedOutput()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// cleanUp stops every unit and removes all that setUp has made.
func (b *bench) cleanUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, c := range b.columns {
		errs = append(errs, c.stop(ctx))
		for name := range c.files {
			errs = append(errs, removeUnit(filepath.Join(b.units, name)))
		}
	}
	_, err := systemctl(ctx, "daemon-reload")
	return errors.Join(append(errs, err, os.RemoveAll(b.dir))...)
}

// removeUnit removes a unit file or, with its directory, a drop-in of one.
func removeUnit(path string) error {
	if dir := filepath.Dir(path); strings.HasSuffix(dir, ".service.d") {
		return os.RemoveAll(dir)
	}
	return os.RemoveAll(path)
}
