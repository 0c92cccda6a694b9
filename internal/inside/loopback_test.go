package inside

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoopbackUp(t *testing.T) {
	cmd := contained(t, unix.CLONE_NEWNET, "program", "hook")
	state, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := state.Write(make([]byte, 1<<20)) // more than a pipe holds: it must be read
		written <- errors.Join(err, state.Close())
	}()
	if got := output(t, cmd); !slices.Equal(got, []string{"false", "true"}) {
		t.Errorf("up before, after: %v", got)
	}
	if err := <-written; err != nil {
		t.Errorf("the state was not read: %v", err)
	}
}
