// Gatewayd keeps gateways alive in rootless OCI containers.
//
// This package is its commands, the wiring of the daemon behind "run" and
// "demo", and the exit codes; what they do lives in pkg and internal.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/journal"
)

// version is set by the linker from git.
var version = "unknown"

// gatewayd runs the command line and returns the exit code.
func gatewayd() int {
	command := rootCommand()
	err := command.Execute()
	if err == nil {
		return exitOK
	}
	return report(os.Stderr, err)
}

// report prints what a person needs of err, and returns its exit code.
func report(w io.Writer, err error) int {
	if text := err.Error(); text != "" {
		fmt.Fprintf(w, "gatewayd: %s\n", journal.Printable(text)) // it can name a file of somebody's tree
	}
	return exitCode(err)
}

func rootCommand() *cobra.Command {
	command := &cobra.Command{
		Use:           "gatewayd",
		Short:         "Keep gateways alive in rootless OCI containers",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		// Only what can run has its arguments checked.
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
		Long: `gatewayd keeps gateways (webhook receivers, LLM gateways, reverse proxies) alive
in rootless OCI containers: a fresh bundle for every launch, restarts with
backoff, true readiness for systemd, and nothing left behind.

A systemd user service runs it; the other commands ask the one that runs.`,
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	command.AddCommand(
		runCommand(), demoCommand(), checkCommand(), statusCommand(),
		startCommand(), stopCommand(), restartCommand(), reloadCommand(), reexecCommand(),
		deployCommand(), rollbackCommand(), historyCommand(), verifyCommand(), metricsCommand(),
		logsCommand(), digestCommand(), reapCommand(), versionCommand(),
	)
	command.AddCommand(hiddenCommands()...)
	return command
}

// knownCommand is reached with what is no command's name.
func knownCommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see gatewayd --help"
	if similar := command.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = "did you mean " + similar[0] + "?"
	}
	return usageError{fmt.Errorf("unknown command %q; %s", args[0], hint)}
}
