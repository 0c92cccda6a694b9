package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/step"
)

// An operator's stop holds over a restart of gatewayd: an empty file for each
// gateway that is stopped.

func (d *daemon) holdFile(name string) string { return filepath.Join(d.host.Dirs.Stopped(), name) }

func (d *daemon) holds(name string) (bool, error) {
	_, err := os.Lstat(d.holdFile(name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether %s was stopped: %w", name, err)
	}
	return true, nil
}

func (d *daemon) hold(name string) error {
	if err := os.WriteFile(d.holdFile(name), nil, 0o600); err != nil {
		return fmt.Errorf("keep %s stopped over a restart of gatewayd, which would start it: %w", name, d.host.Advised(err))
	}
	step.Done("stop-noted")
	return nil
}

func (d *daemon) unhold(name string) error {
	if err := os.Remove(d.holdFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("end the stop of %s: %w", name, err)
	}
	step.Done("stop-forgotten")
	return nil
}
