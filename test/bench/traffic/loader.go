package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// loader is a process that puts load on a gateway.
type loader struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// What is asked of the columns under load.
var (
	freshLoad = []string{"-fresh", "500"}
	mixedLoad = []string{"-fresh", "500", "-kept", "10", "-pause", "10ms"}
)

// load returns when the first answers are in.
func (b *bench) load(ctx context.Context, address string, args ...string) (*loader, error) {
	l := &loader{cmd: exec.CommandContext(ctx, b.self, append([]string{"load", "-address", address}, args...)...)}
	l.cmd.Stderr = os.Stderr
	l.cmd.Cancel = func() error { return l.cmd.Process.Signal(syscall.SIGTERM) }
	l.cmd.WaitDelay = service.Patience
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.out = bufio.NewReader(out)
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := l.out.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		_, err := l.end()
		return nil, errors.Join(fmt.Errorf("load on %s: no answer", address), err)
	}
	return l, nil
}

// end stops it and returns what it has counted.
func (l *loader) end() (load.Result, error) {
	_ = l.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	return l.wait()
}

// wait has it come to its end by itself.
func (l *loader) wait() (load.Result, error) {
	var r load.Result
	err := json.NewDecoder(l.out).Decode(&r)
	return r, errors.Join(err, l.cmd.Wait())
}

// under does something again and again while load is on a unit.
func (b *bench) under(ctx context.Context, u *service.Unit, args []string, n int, do func(i int) error) (load.Result, error) {
	if err := settle(ctx, u); err != nil {
		return load.Result{}, err
	}
	l, err := b.load(ctx, u.Address, args...)
	if err != nil {
		return load.Result{}, err
	}
	for i := range n {
		if err = do(i); err != nil {
			break
		}
	}
	if err == nil {
		err = service.Pause(ctx, 200*time.Millisecond) // what is late shall be seen
	}
	r, e := l.end()
	return r, errors.Join(err, e)
}
