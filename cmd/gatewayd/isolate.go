package main

import (
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// isolate makes this process fit to own containers: a subreaper, in a
// sub-cgroup of a cgroup that is delegated to it. Without a delegated cgroup a
// user's gatewayd starts itself again in a scope that has one; root's goes on
// without, where cgroups are of version 1.
func (d *daemon) isolate() (*runtime.Cgroup, error) {
	if err := runtime.BecomeSubreaper(); err != nil {
		return nil, err
	}
	cgroup, err := runtime.Delegated()
	if err == nil {
		return cgroup, cgroup.Enter("supervisor")
	}
	var none *runtime.NoCgroupError
	if !errors.As(err, &none) {
		return nil, err
	}
	if os.Geteuid() == 0 {
		d.log.Warn("no cgroup of version 2 is delegated: containers are killed through their pid namespace, OOM kills are not told apart", zap.Error(err))
		return nil, nil //nolint:nilnil // no cgroup is what root can do without
	}
	return nil, d.enterScope(err)
}

// enterScope does not return when it works: the process becomes systemd-run.
func (d *daemon) enterScope(reason error) error {
	if d.env.systemd.Service {
		return codeError{exitConfig, fmt.Errorf("%w; the unit needs Delegate=yes", reason)}
	}
	if systemd.InScope(d.env.get) {
		return codeError{exitConfig, fmt.Errorf("%w, not even in a scope of the user manager", reason)}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	err = systemd.StartScope(self, os.Args[1:], d.env.list())
	return codeError{exitConfig, fmt.Errorf("%w; and no scope can be had: %w", reason, err)}
}
