package systemd

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Ending asks the manager whether it is ending a unit: its SIGTERM may have come
// while nobody could take it. environ is what a user's manager is found by.
func Ending(ctx context.Context, unit string, user bool, environ []string) (bool, error) {
	program, err := findProgram("systemctl", "/usr/bin", "/bin")
	if err != nil {
		return false, fmt.Errorf("ask for the state of %s: %w", unit, err)
	}
	args := []string{"show", "--property=ActiveState", "--value", unit}
	if user {
		args = append([]string{"--user"}, args...)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = environ
	out, err := cmd.Output()
	if err != nil {
		return false, fmt.Errorf("ask for the state of %s: %w", unit, err)
	}
	return strings.TrimSpace(string(out)) == "deactivating", nil
}
