package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	runc "github.com/containerd/go-runc"

	"github.com/gatewayd/gatewayd/internal/step"
)

// CreateOptions of one container.
type CreateOptions struct {
	Bundle string // absolute directory with config.json
	Dir    string // absolute directory of this launch alone: pid file and logs

	// Stdout and Stderr go to the container: pipes or files, never /dev/null,
	// which youki opens anew for reading. Both are required; without them the
	// call would last until the container closes its output. What the runtime
	// itself prints gets there too; its log is what is read.
	Stdout, Stderr *os.File

	// ExtraFiles get the descriptors 3, 4, 5… in the container. The caller puts
	// LISTEN_FDS and the like into the spec. With Within there are six at most.
	ExtraFiles []*os.File

	// Within is the pid of a process in a user namespace that the runtime is to
	// be run in, as its 0:0; the spec then asks for none. 0: where we are. The
	// process may end when Create has returned.
	Within int

	// Leaf is the cgroup that linux.cgroupsPath names; nil where there is none.
	Leaf *Leaf
}

// Create makes a container, whose init waits before the program starts, and
// begins to watch that init. It must have become our child: BecomeSubreaper
// comes first.
//
// The error is a *CommandError or one about id and options. After an error
// nothing of the call runs any more; what files the runtime left is for Delete.
func (r *Runtime) Create(ctx context.Context, id string, o CreateOptions) (*Container, error) {
	if err := r.check(id, o); err != nil {
		return nil, &CommandError{Op: "create", ID: id, Err: err}
	}
	c, err := r.newCall("create", id, filepath.Join(o.Dir, createLog))
	if err != nil {
		return nil, &CommandError{Op: "create", ID: id, Err: err}
	}
	process, err := c.create(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Container{runtime: r, id: id, dir: o.Dir, process: process}, nil
}

// create makes the call and adopts the init, or ends all that is left of it.
func (c *call) create(ctx context.Context, o CreateOptions) (*Process, error) {
	pidFile := filepath.Join(o.Dir, "pid")
	if err := os.RemoveAll(pidFile); err != nil { // of a call that failed before
		return nil, &CommandError{Op: c.op, ID: c.id, Err: err}
	}
	step.Done("pid-file-removed")
	now, err := uptime()
	if err != nil {
		return nil, &CommandError{Op: c.op, ID: c.id, Err: err}
	}
	c.brood.init = &initOf{id: c.id, leaf: o.Leaf, begin: inTicks(now), owned: c.runtime.owns}
	io := &stdio{stdout: o.Stdout, stderr: o.Stderr}
	c.words = func(err error) error { return io.end(c.runtime.binary.Name, err) }
	client := c.runtime.client(c.log)
	if o.Within != 0 {
		if client.Command, err = c.runtime.writeWithin(o.Dir, o.Within); err != nil {
			return nil, &CommandError{Op: c.op, ID: c.id, Err: err}
		}
		if io.stdin, err = c.runtime.program.file(); err != nil {
			return nil, &CommandError{Op: c.op, ID: c.id, Err: err}
		}
		defer io.stdin.Close()
	}
	err = c.run(ctx, func(ctx context.Context) error {
		return client.Create(ctx, c.id, o.Bundle,
			&runc.CreateOpts{IO: io, PidFile: pidFile, ExtraFiles: o.ExtraFiles})
	})
	step.Done("container-created")
	if err == nil {
		var process *Process
		if process, err = c.adopt(pidFile); err == nil {
			return process, nil
		}
	}
	return nil, c.unwind(err, io)
}

// adopt watches the init that the runtime names, and believes nothing: a wrong
// pid would let us signal, kill and reap a stranger.
func (c *call) adopt(pidFile string) (*Process, error) {
	fail := func(err error) (*Process, error) {
		return nil, &CommandError{c.op, c.id, c.runtime.readWords(c.log).String(), fmt.Errorf("%s reported success: %w", c.runtime.binary.Name, err)}
	}
	pid, err := readPid(pidFile)
	if err != nil {
		return fail(err)
	}
	process, err := Watch(pid)
	if err != nil {
		return fail(err)
	}
	if err := c.doubt(pid); err != nil {
		process.Close()
		return fail(err)
	}
	c.runtime.own(process)
	return process, nil
}

// doubt finds fault with a child that is said to be the new init.
func (c *call) doubt(pid int) error {
	init := c.brood.init
	if s, err := readStat(pid); err != nil || s.start < init.begin {
		return fmt.Errorf("process %d is older than the call", pid)
	}
	if init.leaf != nil && !slices.Contains(cgroupsOf(pid), init.leaf.path) {
		return fmt.Errorf("process %d is not in cgroup %s", pid, init.leaf.path)
	}
	return nil
}

// unwind ends what a call left that failed, or that lied.
func (c *call) unwind(failed error, io *stdio) error {
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	if errors.Is(failed, ErrRunning) { // io still belongs to the call
		return failed
	}
	if io.cmd != nil && io.cmd.Process != nil {
		c.brood.group = io.cmd.Process.Pid
	}
	left := errors.Join(c.brood.kill(ctx), c.brood.reap())
	var command *CommandError
	if left != nil && errors.As(failed, &command) {
		command.Err = errors.Join(command.Err, left)
	}
	return failed
}

func (r *Runtime) check(id string, o CreateOptions) error {
	if err := checkID(id); err != nil {
		return err
	}
	if !filepath.IsAbs(o.Bundle) || !filepath.IsAbs(o.Dir) {
		return fmt.Errorf("bundle %q and directory %q must be absolute", o.Bundle, o.Dir)
	}
	if o.Stdout == nil || o.Stderr == nil {
		return errors.New("stdout and stderr must be files")
	}
	if o.Within != 0 && 3+len(o.ExtraFiles) > programWithin {
		return fmt.Errorf("%d extra files are too many, in a user namespace that was made before: %d can be passed", len(o.ExtraFiles), programWithin-3)
	}
	if 3+len(o.ExtraFiles) > r.program.fd {
		return fmt.Errorf("%d extra files are too many", len(o.ExtraFiles))
	}
	return nil
}

// maxPidFile is more than any pid and what may stand around it.
const maxPidFile = 32

func readPid(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("no pid file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPidFile+1))
	if err != nil {
		return 0, fmt.Errorf("read pid file: %w", err)
	}
	return parsePid(data)
}

func parsePid(data []byte) (int, error) {
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid < 2 || len(data) > maxPidFile { // a number that is cut off is a stranger's
		return 0, fmt.Errorf("pid file holds %.32q", data)
	}
	return pid, nil
}

// stdio is the IO of go-runc made of files. It also keeps the command, which
// knows truly how the call ended: go-runc forgets the signal.
type stdio struct {
	stdin          *os.File // nil: /dev/null
	stdout, stderr *os.File
	cmd            *exec.Cmd
}

func (s *stdio) Set(cmd *exec.Cmd) {
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	if s.stdin != nil { // a nil file would be an io.Reader that is not nil
		cmd.Stdin = s.stdin
	}
	s.cmd = cmd
}

func (s *stdio) Close() error          { return nil }
func (s *stdio) Stdin() io.WriteCloser { return nil }
func (s *stdio) Stdout() io.ReadCloser { return s.stdout }
func (s *stdio) Stderr() io.ReadCloser { return s.stderr }

// end words the failure of a call that is over.
func (s *stdio) end(name string, err error) error {
	if s.cmd == nil || s.cmd.ProcessState == nil {
		return err // it was never executed
	}
	return &endedError{name, s.cmd.ProcessState}
}
