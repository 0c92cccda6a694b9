package inside

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoopbackUp(t *testing.T) {
	cmd := contained(t, unix.CLONE_NEWNET, "program", "hook")
	cmd.Stdin = bytes.NewReader(make([]byte, 1<<20)) // more than a pipe holds: it must be read
	if got := output(t, cmd); !slices.Equal(got, []string{"false", "true"}) {
		t.Errorf("up before, after: %v", got)
	}
}
