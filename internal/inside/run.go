package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
)

// Exit codes for a program that was never run, as POSIX shells use them.
const (
	CodeNotExecutable = 126 // it is there, execve(2) refused it
	CodeNotFound      = 127 // there is no such program
)

// Separator ends the options of the commands of this package.
const Separator = "--"

// program returns the program's arguments, without the separator that the
// command line may still have in front, and where the program lies.
func program(argv []string) (path string, args []string, err error) {
	if len(argv) > 0 && argv[0] == Separator {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		return "", nil, fmt.Errorf("run program: none is given: %w", fs.ErrNotExist)
	}
	path, err = exec.LookPath(argv[0])
	if errors.Is(err, exec.ErrDot) { // PATH is the launch's own: "." was wanted
		err = nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("run program: %w", err)
	}
	return path, argv, nil
}

// Code is the exit code that says why a program could not be run.
func Code(err error) int {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return CodeNotFound
	}
	return CodeNotExecutable
}
