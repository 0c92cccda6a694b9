package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
)

// Exit codes of gatewayd. 78 is EX_CONFIG of sysexits(3), which the units name
// in RestartPreventExitStatus=: what is wrong in a file is not mended by trying
// again.
const (
	exitOK         = 0
	exitFailure    = 1
	exitUsage      = 2
	exitNotReady   = 3
	exitNotRunning = 4
	exitRolledBack = 5
	exitConfig     = 78
)

// codeError is an error that chooses its exit code. Without Err nothing is
// printed: the output has said it.
type codeError struct {
	Code int
	Err  error
}

func (e codeError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e codeError) Unwrap() error { return e.Err }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func exitCode(err error) int {
	var code codeError
	var usage usageError
	var faults config.Faults
	var answer *control.Error
	switch {
	case errors.As(err, &code) && code.Code == exitConfig && launch.Passing(err):
		return exitFailure // nothing is wrong in the file, and systemd is to try again
	case errors.As(err, &code):
		return code.Code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &faults):
		return exitConfig
	case errors.As(err, &answer) && answer.Code == control.CodeConfig:
		return exitConfig
	case errors.As(err, &answer) && answer.Code == control.CodeRolledBack:
		return exitRolledBack
	case errors.Is(err, control.ErrNotRunning):
		return exitNotRunning
	}
	return exitFailure
}

// exactArgs is cobra.ExactArgs with a message that names what is missing.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usageError{fmt.Errorf("usage: %s", command.UseLine())}
	}
}

func maximumArgs(n int) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return usageError{fmt.Errorf("usage: %s", command.UseLine())}
	}
}
