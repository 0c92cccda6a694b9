package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/example"
	"github.com/gatewayd/gatewayd/internal/inside"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// hiddenCommands are not for people: what gatewayd starts itself as, inside and
// on the way into a container, and what its packaging needs.
func hiddenCommands() []*cobra.Command {
	hook := hidden("hook", "bodies of OCI hooks", nil)
	hook.RunE = nil
	hook.AddCommand(hidden("loopback", "bring lo up", func([]string) error { return inside.LoopbackUp() }))
	return []*cobra.Command{
		exampleCommand(), hook,
		hidden("init", "be PID 1 of a container", runInit),
		hidden("confine", "drop all capabilities, install a seccomp filter and become a program", func(argv []string) error {
			err := inside.Confine(argv)
			return codeError{inside.Code(err), err}
		}),
		hidden("try-overlay", "see whether an overlay does what a root must", func([]string) error {
			err := inside.TryOverlay()
			return codeError{inside.OverlayCode(err), err}
		}),
		hidden("takeover", "say whether this binary can take over from the gatewayd that asks", func([]string) error { return checkTakeover() }),
		hidden("stage", "stage, examine or remove in a user namespace", func(args []string) error {
			return bundle.HelperMain(context.Background(), args)
		}),
	}
}

// hidden passes its arguments on as they are: they belong to another program.
func hidden(name, short string, run func([]string) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return run(args) },
	}
}

func runInit(argv []string) error {
	code, err := inside.Init(argv)
	if err != nil {
		return codeError{inside.Code(err), err}
	}
	if code == 0 {
		return nil
	}
	return codeError{Code: code}
}

func exampleCommand() *cobra.Command {
	o := example.Options{Log: os.Stderr}
	command := &cobra.Command{
		Use: "example-gateway", Short: "Be the example gateway", Hidden: true, Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return example.Run(ctx, o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Address, "address", example.Address, "where it listens, host:port or unix:/path, unless it inherits a socket")
	flags.DurationVar(&o.Warmup, "warmup", 0, "how long it takes to start")
	flags.DurationVar(&o.Linger, "linger", example.Linger, "how long it serves open connections after SIGTERM; 0: it does not")
	return command
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  gatewayd version", Args: exactArgs(),
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(command.OutOrStdout(), "gatewayd", version)
			return err
		},
	}
}
