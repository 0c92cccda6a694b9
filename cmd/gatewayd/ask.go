package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
)

// instance is the name of the gatewayd that a command means. GATEWAYD_INSTANCE
// names another one, such as a running demo.
func instance(getenv func(string) string) string {
	if name := filepath.Base(getenv("GATEWAYD_INSTANCE")); name != "." && name != "/" && name != ".." {
		return name
	}
	return "gatewayd"
}

// client reaches the gatewayd of this user.
func client() (*control.Client, error) {
	dirs, err := launch.Directories(instance(os.Getenv), os.Geteuid(), os.Getenv)
	if err != nil {
		return nil, err
	}
	return control.Dial(dirs.ControlSocket()), nil
}

// ask runs one question to the daemon; Ctrl-C takes it back.
func ask(question func(context.Context, *control.Client) error) error {
	c, err := client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return question(ctx, c)
}

func statusCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status [--json] [NAME]",
		Short: "Show the gateways",
		Long: `Status shows each gateway, or the one called NAME. It exits 0 when all shown are
ready, 3 when one is not, and 4 when no gatewayd runs.`,
		Example: "  gatewayd status\n  gatewayd status --json web",
		Args:    maximumArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return ask(func(ctx context.Context, c *control.Client) error {
				return status(ctx, c, command.OutOrStdout(), asJSON, args)
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

func status(ctx context.Context, c *control.Client, w io.Writer, asJSON bool, names []string) error {
	report, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if len(names) == 1 {
		if report.Gateways, err = only(report.Gateways, names[0]); err != nil {
			return err
		}
	}
	if asJSON {
		err = writeJSON(w, report)
	} else {
		err = control.WriteTable(w, report, time.Now())
	}
	if err == nil && !report.Ready() {
		err = codeError{Code: exitNotReady}
	}
	return err
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func only(gateways []control.Gateway, name string) ([]control.Gateway, error) {
	for _, g := range gateways {
		if g.Name == name {
			return []control.Gateway{g}, nil
		}
	}
	return nil, fmt.Errorf("no gateway is called %q", name)
}

func startCommand() *cobra.Command {
	return gatewayCommand("start", "Start a gateway that was stopped, failed or waits",
		`Start returns when the gateway is ready, and fails with the cause when its first
launch does. It ends a stop that holds, and a backoff.`, (*control.Client).Start)
}

func stopCommand() *cobra.Command {
	return gatewayCommand("stop", "Stop a gateway",
		`Stop returns when the gateway has stopped and nothing of it is left. It holds
until start, also over a restart of gatewayd.`, (*control.Client).Stop)
}

func restartCommand() *cobra.Command {
	return gatewayCommand("restart", "Restart a gateway",
		`Restart ends the running launch as stop would, and returns when the next one is
ready.`, (*control.Client).Restart)
}

func gatewayCommand(verb, short, long string, do func(*control.Client, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Long: long,
		Example: "  gatewayd " + verb + " web",
		Args:    exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			return ask(func(ctx context.Context, c *control.Client) error { return do(c, ctx, args[0]) })
		},
	}
}

func metricsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Print how the gateways do, for Prometheus",
		Long: `Metrics prints what GET /metrics on the control socket answers, in the text format
of Prometheus: the phase of each gateway, its launches, restarts and failures, and
how often each event happened since this gatewayd runs.`,
		Example: "  gatewayd metrics",
		Args:    exactArgs(),
		RunE: func(command *cobra.Command, _ []string) error {
			return ask(func(ctx context.Context, c *control.Client) error {
				text, err := c.Metrics(ctx)
				if err == nil {
					_, err = io.WriteString(command.OutOrStdout(), string(text))
				}
				return err
			})
		},
	}
}

func reexecCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reexec",
		Short: "Replace the running gatewayd by the binary on the disk",
		Long: `Reexec has the daemon become the binary that is on the disk now, in place: the
process, the containers, their connections and their output stay. The new binary
says first whether it can take over; if not, the old one goes on: exit 1.`,
		Example: "  gatewayd reexec",
		Args:    exactArgs(),
		RunE: func(command *cobra.Command, _ []string) error {
			return ask(func(ctx context.Context, c *control.Client) error { return reexec(ctx, c, command.OutOrStdout()) })
		},
	}
}

func reexec(ctx context.Context, c *control.Client, w io.Writer) error {
	report, err := c.Reexec(ctx)
	if err != nil {
		return err
	}
	t := report.Takeover
	if t == nil {
		return errors.New("the gatewayd that answers has not taken over from another one")
	}
	fmt.Fprintf(w, "gatewayd %s has become %s, after %.1f ms without supervision\n", t.From, report.Version, t.GapMS)
	if t.Config != "" {
		fmt.Fprintf(w, "what was taken over goes on, as the configuration cannot be used:\n%s\n", t.Config)
	}
	return nil
}

func reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Read the configuration again",
		Long: `Reload has the daemon read its configuration again and waits for the verdict.
Gateways that did not change are not touched; changed ones, and those whose source
is another tree now, are deployed; new ones start, removed ones stop. A faulty file
changes nothing: exit 78.`,
		Example: "  gatewayd reload",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			return ask(func(ctx context.Context, c *control.Client) error { return c.Reload(ctx) })
		},
	}
}
