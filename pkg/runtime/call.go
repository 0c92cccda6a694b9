package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gatewayd/gatewayd/internal/step"
)

// call is one call of the runtime program.
type call struct {
	runtime *Runtime
	op, id  string
	log     string // absolute path, in the command line of this call alone
	words   func(error) error
	brood   brood
}

// newCall makes sure that the log is a new file: the runtimes neither truncate
// nor append.
func (r *Runtime) newCall(op, id, log string) (*call, error) {
	if err := os.Remove(log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old log: %w", err)
	}
	step.Done("runtime-log-removed")
	return &call{runtime: r, op: op, id: id, log: log, brood: brood{log: log}}, nil
}

// run makes the call by means of f and returns its error as a *CommandError.
//
// f gets a context that never ends. Where the deadline is left to os/exec, it
// kills the program alone, and what that has forked can no longer be told from
// other orphans; and it waits for ever while one of them holds a pipe open.
func (c *call) run(ctx context.Context, f func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, c.runtime.timeout)
	defer cancel()
	begin := time.Now()
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		failed = f(context.WithoutCancel(ctx))
	}()
	select {
	case <-done:
		return c.failure(failed)
	case <-limited.Done():
	}
	err := error(&noAnswer{c.runtime.binary.Name, time.Since(begin).Round(time.Millisecond), limited.Err()})
	if ctx.Err() == nil {
		err = &noAnswer{c.runtime.binary.Name, c.runtime.timeout, limited.Err()}
	}
	if left := c.kill(done); left != nil {
		err = errors.Join(err, left)
	}
	return &CommandError{c.op, c.id, c.runtime.readWords(c.log).String(), err}
}

// kill ends the call with all that it has forked, and waits until f is back.
func (c *call) kill(done <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	// Once is enough but for the moment between fork and exec, in which the call
	// still has our own command line.
	for pause := time.Millisecond; ; pause *= 2 {
		left := c.brood.kill(ctx)
		select {
		case <-done:
			return errors.Join(left, c.brood.reap())
		case <-ctx.Done():
			c.brood.release()
			return errors.Join(fmt.Errorf("%s is %w", c.runtime.binary.Name, ErrRunning), left)
		case <-time.After(pause):
		}
	}
}

// failure dresses an error of go-runc. What the runtime wrote to its log comes
// first; else all there is, is go-runc's text with the runtime's output in it.
func (c *call) failure(err error) error {
	if err == nil {
		return nil
	}
	detail := c.runtime.readWords(c.log).String()
	switch {
	case c.words != nil:
		err = c.words(err)
	case detail != "":
		err = fmt.Errorf("%s did not succeed", c.runtime.binary.Name)
	default:
		detail, err = clean(c.runtime.shown(err.Error())), fmt.Errorf("%s did not succeed", c.runtime.binary.Name)
	}
	return &CommandError{c.op, c.id, detail, err}
}
