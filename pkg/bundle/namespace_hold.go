package bundle

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// A Namespace is a user namespace with a mapping, held by a process that does
// nothing else. Others may join it until Close, and it lives on for as long as
// one of those does.
type Namespace struct {
	Pid     int // of the process that holds it
	closing sync.Once
	release chan struct{}
	ended   chan error
}

// HoldNamespace makes a user namespace with several ids for a runtime to be run
// in. The mapping was read back from the kernel when it returns. helper is as in
// CopyOptions. The error is ErrNoRange where the user has no right to ids, and
// says what to do about it.
func HoldNamespace(ctx context.Context, helper []string, ids IDMap) (*Namespace, error) {
	if len(helper) == 0 {
		return nil, errNoHelper
	}
	n := &Namespace{release: make(chan struct{}), ended: make(chan error, 1)}
	held := make(chan error, 1)
	go n.hold(ctx, namespace{helper: helper, ids: ids, tools: toolDirs}, held)
	if err := <-held; err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	return n, nil
}

// hold keeps its thread, which the process is not to outlive (Pdeathsig).
func (n *Namespace) hold(ctx context.Context, in namespace, held chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(in.helper[0], in.helper[1:]...)
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	ours, err := in.startMapped(ctx, cmd)
	if err != nil {
		held <- err
		return
	}
	n.Pid = cmd.Process.Pid
	held <- nil
	<-n.release
	_ = cmd.Process.Kill() // fails where it ended by itself
	n.ended <- errors.Join(quietly(cmd.Wait()), ours.Close())
}

// Close ends the process that holds the namespace, and waits for it. A second
// call does nothing.
func (n *Namespace) Close() (err error) {
	n.closing.Do(func() {
		close(n.release)
		err = <-n.ended
	})
	return err
}
