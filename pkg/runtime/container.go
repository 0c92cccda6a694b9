package runtime

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Names of the logs of a launch, in CreateOptions.Dir.
const (
	createLog = "create.log"
	startLog  = "start.log"
)

// Container is what Create has made. It keeps nothing open but Process.
type Container struct {
	runtime *Runtime
	id, dir string
	process *Process
}

// ID returns the id given to Create.
func (c *Container) ID() string { return c.id }

// Pid returns the pid of the container's init.
func (c *Container) Pid() int { return c.process.pid }

// Process returns the container's init, which becomes the program at Start.
func (c *Container) Process() *Process { return c.process }

// Start lets the program begin. Success does not mean that it did: where it
// cannot be executed, the init ends with code 255 (youki) or 1, and Words says
// why. After an error the container is to be killed and deleted. The error is a
// *CommandError.
func (c *Container) Start(ctx context.Context) error {
	call, err := c.runtime.newCall("start", c.id, filepath.Join(c.dir, startLog))
	if err != nil {
		return &CommandError{Op: "start", ID: c.id, Err: err}
	}
	err = call.run(ctx, func(ctx context.Context) error {
		return c.runtime.client(call.log).Start(ctx, c.id)
	})
	step.Done("container-started")
	return err
}

// Words returns the errors that the runtime has logged in this launch, in one
// line; empty: none. An exit of the program soon after Start with such words is
// most likely the runtime's.
func (c *Container) Words() string {
	var all []string
	for _, log := range []string{createLog, startLog} {
		if text := c.runtime.readWords(filepath.Join(c.dir, log)).String(); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}
