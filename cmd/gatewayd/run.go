package main

import (
	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/systemd"
)

const configHelp = "the configuration (default: the first found of $GATEWAYD_CONFIG, $XDG_CONFIG_HOME/gatewayd/gatewayd.toml, /etc/gatewayd/gatewayd.toml)"

func runCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "run [--config FILE]",
		Short: "Run the daemon (what the systemd unit starts)",
		Long: `Run keeps the configured gateways alive until it gets SIGTERM or SIGINT; a second
one hurries. SIGHUP reads the configuration again.

It needs a cgroup of its own. Outside of one, as in a shell over ssh or su, it
starts itself again in a scope of the user manager.`,
		Example: "  gatewayd run --config ~/.config/gatewayd/gatewayd.toml",
		Args:    exactArgs(),
		RunE: func(_ *cobra.Command, _ []string) error {
			err := runDaemon(daemonOptions{name: "gatewayd", load: loader(path)})
			if err != nil {
				// Journald may not know the unit of a process that has ended by
				// the time it looks; systemctl status shows this in any case.
				_ = systemd.Notifier{}.Status(err.Error())
			}
			return err
		},
	}
	command.Flags().StringVar(&path, "config", "", configHelp)
	return command
}

// loader returns what finds and reads the configuration, now and at a reload.
func loader(flag string) func(environment) (*config.Config, error) {
	return func(env environment) (*config.Config, error) {
		path, err := config.Path(flag, env.get)
		if err != nil {
			return nil, codeError{exitConfig, err}
		}
		c, err := config.Load(path)
		if err != nil {
			return nil, codeError{exitConfig, err}
		}
		return c, nil
	}
}
