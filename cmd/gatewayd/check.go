package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

func checkCommand() *cobra.Command {
	var path string
	command := &cobra.Command{
		Use:   "check [--config FILE]",
		Short: "Check the configuration",
		Long: `Check reads the configuration as the daemon would and lists every fault with its
place; exit 78 if there is one. What depends on the moment, such as a source that
is not there or a variable that is not set, is a warning: a shell does not have
the environment of the unit. So is what works, but not as well as it looks, such as
a probe that cannot tell two launches apart.`,
		Example: "  gatewayd check --config ./gatewayd.toml",
		Args:    exactArgs(),
		RunE:    func(command *cobra.Command, _ []string) error { return check(command.OutOrStdout(), path) },
	}
	command.Flags().StringVar(&path, "config", "", configHelp)
	return command
}

func check(w io.Writer, flag string) error {
	path, err := config.Path(flag, os.Getenv)
	if err != nil {
		return codeError{exitConfig, err}
	}
	c, err := config.Load(path)
	var faults config.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			fmt.Fprintln(w, fault)
		}
		return codeError{exitConfig, fmt.Errorf("check %s: %s", path, count(len(faults), "fault"))}
	}
	if err != nil {
		return codeError{exitConfig, err}
	}
	warnings := 0
	for _, g := range c.Gateways {
		for _, warning := range append(warningsOf(g), g.Advice()...) {
			warnings++
			fmt.Fprintf(w, "warning: gateway %s: %s\n", g.Name, warning)
		}
	}
	fmt.Fprintf(w, "%s: %s, no faults, %s\n", path, count(len(c.Gateways), "gateway"), count(warnings, "warning"))
	return nil
}

// warningsOf is what would make a launch fail at this moment.
func warningsOf(g config.Gateway) []string {
	warnings := g.Warnings(os.LookupEnv)
	if g.Staging.IDs == "range" {
		if err := checkRange(); err != nil {
			warnings = append(warnings, "ids: "+err.Error())
		}
	}
	return warnings
}

// checkRange has newuidmap show that it grants the ids.
func checkRange() error {
	ids, err := launch.RangeIDs()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	return bundle.CheckIDs(ctx, launch.Helper, ids)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
