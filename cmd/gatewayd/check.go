package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/secrets"
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
the environment of the unit. A secret that is there and refused is a fault. What
works, but not as well as it looks, is a warning, too: a probe that cannot tell two
launches apart, say.`,
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
	warnings, refused := 0, 0
	for _, g := range c.Gateways {
		missing, unfit := secretsOf(g)
		for _, problem := range unfit {
			refused++
			fmt.Fprintf(w, "%s: gateway.%s.secret: %s\n", path, g.Name, problem)
		}
		for _, warning := range slices.Concat(warningsOf(g), missing, g.Advice()) {
			warnings++
			fmt.Fprintf(w, "warning: gateway %s: %s\n", g.Name, warning)
		}
	}
	if refused > 0 {
		return codeError{exitConfig, fmt.Errorf("check %s: %s", path, count(refused, "fault"))}
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

// secretsOf tells which secrets are not there at this moment, and which are there
// and refused. No program is run: that may have effects, or ask a person.
func secretsOf(g config.Gateway) (missing, unfit []string) {
	from := secrets.Sources{Lookup: os.LookupEnv}
	for _, s := range g.Secrets {
		if s.Source.Kind == config.SecretExec {
			continue
		}
		value, err := from.Read(context.Background(), s)
		clear(value)
		switch {
		case err == nil || !s.Required && errors.Is(err, secrets.ErrAbsent):
		case errors.Is(err, secrets.ErrUnfit):
			unfit = append(unfit, err.Error())
		default:
			missing = append(missing, "secret: "+err.Error())
		}
	}
	return missing, unfit
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
