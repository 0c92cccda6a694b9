package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
)

func deployCommand() *cobra.Command {
	var flags struct {
		rootfs, bundle, canary string
		canaryFor              time.Duration
		wait                   bool
	}
	command := &cobra.Command{
		Use:   "deploy NAME [--rootfs PATH | --bundle PATH] [--canary 10% --for 1m] [--wait]",
		Short: "Replace what a gateway runs, without an interruption",
		Long: `Deploy makes a new launch of what the configuration says, as gatewayd last read it,
or of the same with another source, while the old one serves. When the new one is
ready it gets all new connections (with a canary, a share of them first), and the
old one finishes what it has in flight. When it does not become ready nothing
changes: exit 1, with the cause.

Deploy returns when the new launch serves; with --wait, when it has answered three
more probes. Should it not last, so that the old revision is brought back: exit 5.
What was begun goes on when the command is interrupted.

Another source holds, also over a restart of gatewayd, until the next deploy, a
rollback, or a change of the gateway's table in the configuration.`,
		Example: "  gatewayd deploy web --rootfs /srv/web-2\n  gatewayd deploy web --canary 10% --for 1m --wait",
		Args:    exactArgs("NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			for _, name := range []string{"rootfs", "bundle", "canary"} {
				if flag := command.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
					return usageError{fmt.Errorf("deploy: --%s is empty: a variable that is not set?", name)}
				}
			}
			request, err := deployRequest(flags.rootfs, flags.bundle, flags.canary, flags.canaryFor)
			if err != nil {
				return usageError{fmt.Errorf("deploy: %w", err)}
			}
			request.Wait = flags.wait
			return askDeploy(command.ErrOrStderr(), args[0], func(ctx context.Context, c *control.Client) (control.Deployed, error) {
				return c.Deploy(ctx, args[0], request)
			})
		},
	}
	command.Flags().StringVar(&flags.rootfs, "rootfs", "", "deploy this packaged tree instead of the configured source")
	command.Flags().StringVar(&flags.bundle, "bundle", "", "deploy this packaged OCI bundle instead of the configured source")
	command.Flags().StringVar(&flags.canary, "canary", "", "share of new connections that the new launch gets first, such as 10%")
	command.Flags().DurationVar(&flags.canaryFor, "for", 0, "how long it gets that share")
	command.Flags().BoolVar(&flags.wait, "wait", false, "return when the new launch has proved itself")
	return command
}

// deployRequest checks what only the command line can be wrong about.
func deployRequest(rootfs, bundle, canary string, canaryFor time.Duration) (control.DeployRequest, error) {
	request := control.DeployRequest{CanaryFor: control.Duration(canaryFor)}
	if rootfs != "" && bundle != "" {
		return request, errors.New("--rootfs excludes --bundle: a gateway has one source")
	}
	if canaryFor < 0 {
		return request, fmt.Errorf("--for %s: want a duration of its own, such as 1m", canaryFor)
	}
	if canary != "" {
		share, err := config.ParsePercent(canary)
		if err != nil {
			return request, fmt.Errorf("--canary: %w", err)
		}
		request.Canary = &share
	}
	var err error
	if request.Rootfs, err = absolute(rootfs); err != nil {
		return request, err
	}
	request.Bundle, err = absolute(bundle)
	return request, err
}

// absolute is a path as whoever types it means it; nothing stays nothing.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

func rollbackCommand() *cobra.Command {
	var wait bool
	command := &cobra.Command{
		Use:   "rollback NAME [--wait]",
		Short: "Bring back what a gateway ran before",
		Long: `Rollback deploys the revision that served before the one that does, with the
configuration and the source that it had. "gatewayd history NAME" shows which that
is. It is refused where that source is another tree now.

It holds as a deploy with another source does. A second rollback takes it back.`,
		Example: "  gatewayd rollback web",
		Args:    exactArgs("NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			return askDeploy(command.ErrOrStderr(), args[0], func(ctx context.Context, c *control.Client) (control.Deployed, error) {
				return c.Rollback(ctx, args[0], control.RollbackRequest{Wait: wait})
			})
		},
	}
	command.Flags().BoolVar(&wait, "wait", false, "return when the launch has proved itself")
	return command
}

// askDeploy asks for a deploy, shows how far it is, and says what came of it.
func askDeploy(w io.Writer, name string, do func(context.Context, *control.Client) (control.Deployed, error)) error {
	return ask(func(ctx context.Context, c *control.Client) error {
		shown := showProgress(ctx, w, c, name)
		deployed, err := do(ctx, c)
		shown()
		if ctx.Err() != nil {
			return fmt.Errorf("stopped to wait for the deploy of %s, which goes on: gatewayd status shows how far it is", name)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: revision %s serves, of %s\n", name, deployed.Revision, printable(deployed.Source))
		if deployed.Ended != "" {
			fmt.Fprintf(w, "%s: %s, which was deployed before, is no longer what runs: the configuration does not name it\n", name, printable(deployed.Ended))
		}
		return nil
	})
}

// printable keeps a path from driving a terminal.
func printable(path string) string {
	if quoted := strconv.QuoteToGraphic(path); quoted != `"`+path+`"` {
		return quoted
	}
	return path
}

func historyCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "history NAME [--json]",
		Short: "List what was deployed of a gateway",
		Long: `History lists the revisions of a gateway, the newest last: when each was deployed
and why, what became of it, and its source and digest. The last 20 are kept, also
over restarts of gatewayd.`,
		Example: "  gatewayd history web",
		Args:    exactArgs("NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			return ask(func(ctx context.Context, c *control.Client) error {
				history, err := c.History(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(command.OutOrStdout(), history)
				}
				return control.WriteHistory(command.OutOrStdout(), history, time.Now())
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}
