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
// sub-cgroup of a cgroup that is delegated to it. Outside of one, gatewayd
// starts itself again in a scope that has one. Where that cannot be, root's
// gatewayd goes on without, and a user's says why it cannot.
func (d *daemon) isolate() (*runtime.Cgroup, error) {
	if err := runtime.BecomeSubreaper(); err != nil {
		return nil, err
	}
	cgroup, err := d.delegated()
	if err == nil {
		d.enter(cgroup)
		return cgroup, nil
	}
	noScope := d.enterScope()
	if os.Geteuid() != 0 {
		return nil, codeError{exitConfig, fmt.Errorf("%w; %w", err, noScope)}
	}
	d.log.Warn("goes on without a cgroup: containers are killed through their pid namespace, OOM kills are not told apart", zap.Error(err))
	return nil, nil //nolint:nilnil // no cgroup is what root can do without
}

// enter begins to move the daemon into its sub-cgroup, which the kernel takes
// its time for. The first launch waits for it, and so does what hands
// controllers down.
func (d *daemon) enter(cgroup *runtime.Cgroup) {
	d.entered = make(chan struct{})
	go func() {
		defer close(d.entered)
		d.enterErr = cgroup.Enter("supervisor")
	}()
}

// awaitEntered returns when the daemon is where it belongs.
func (d *daemon) awaitEntered() error {
	if d.entered == nil {
		return nil // there is no cgroup
	}
	<-d.entered
	return d.enterErr
}

// delegated is the cgroup that systemd made for us. For root it carries
// systemd's own mark. For a user, being able to write is not enough: that goes
// for the cgroup of a terminal as well, which systemd reorganises as it likes.
func (d *daemon) delegated() (*runtime.Cgroup, error) {
	cgroup, err := runtime.Delegated()
	if err != nil || os.Geteuid() == 0 || d.env.systemd.Service || systemd.InScope(d.env.get) {
		return cgroup, err
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return cgroup, nil // without systemd, whoever runs the machine has made it ours
	}
	return nil, errors.New("no delegated cgroup: that of this shell is not gatewayd's own")
}

// enterScope does not return when it works: the process becomes systemd-run.
func (d *daemon) enterScope() error {
	if d.env.systemd.Service {
		return errors.New("the unit needs Delegate=yes")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	return systemd.StartScope(self, os.Args[1:], d.env.list())
}
