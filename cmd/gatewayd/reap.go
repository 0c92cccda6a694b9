package main

import (
	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

func reapCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reap",
		Short: "Remove what a dead gatewayd left (the unit's ExecStopPost=)",
		Long: `Reap ends the processes and removes the containers, cgroups, secrets and trees of
a gatewayd that was killed. One that runs is left alone: exit 1. Persistent data
of the gateways stays.`,
		Example: "  gatewayd reap",
		Args:    exactArgs(),
		RunE:    func(*cobra.Command, []string) error { return reap() },
	}
}

func reap() error {
	s := catchSignals(false)
	defer s.stop()
	env, err := captureEnvironment()
	if err != nil {
		return err
	}
	d := &daemon{options: daemonOptions{name: instance(env.get)}, env: env, signals: s}
	d.openLog("info")
	defer d.closeLog()
	return d.reap()
}

// reap is a sweep without a daemon behind it. The unit has systemd keep the
// runtime directory, which may be that of a gatewayd outside of the unit: only
// who has the lock removes it.
func (d *daemon) reap() error {
	if err := d.takeDirectories(unitCgroup()); err != nil {
		return err
	}
	defer func() { _ = d.lock.Release() }()
	if d.host.Left() { // no ordinary stop leaves anything
		d.openRuntime("auto")
		if err := d.sweep(); err != nil {
			return err
		}
	}
	return d.host.Dirs.Leave()
}

// unitCgroup is the cgroup of the unit whose ExecStopPost= this is; nil where
// there is none, and then the kernel has nothing of the unit left either.
func unitCgroup() *runtime.Cgroup {
	cgroup, err := runtime.Delegated()
	if err != nil {
		return nil
	}
	return cgroup
}
