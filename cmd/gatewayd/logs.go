package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
)

func logsCommand() *cobra.Command {
	var follow bool
	var lines int
	command := &cobra.Command{
		Use:   "logs NAME [-f] [-n N]",
		Short: "Show what a gateway wrote and what became of it",
		Long: `Logs runs journalctl with a filter for the gateway: each line of its stdout and
stderr, and gatewayd's own records about it.`,
		Example: "  gatewayd logs web -f\n  gatewayd logs web -n 100",
		Args:    exactArgs("NAME"),
		RunE:    func(_ *cobra.Command, args []string) error { return logs(args[0], follow, lines) },
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "go on showing what comes")
	command.Flags().IntVarP(&lines, "lines", "n", 0, "show only the last N lines")
	return command
}

// logs becomes journalctl. _UID= is what journald knows of the sender itself:
// anybody may write a record with GATEWAY= in it.
func logs(name string, follow bool, lines int) error {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return fmt.Errorf("show logs of %s: %w", name, err)
	}
	args := []string{"journalctl", "--quiet", "GATEWAY=" + name, "_UID=" + strconv.Itoa(os.Geteuid())}
	if os.Geteuid() != 0 {
		args = append(args, "--user")
	}
	if follow {
		args = append(args, "--follow")
	}
	if lines > 0 {
		args = append(args, "--lines="+strconv.Itoa(lines))
	}
	return fmt.Errorf("run %s: %w", path, syscall.Exec(path, args, os.Environ()))
}
