package supervisor_test

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// processes is a Launcher of plain processes, without any container. It makes a process in Start: there is none that
// could wait between prepared and started.
type processes struct {
	argv []string

	mu   sync.Mutex
	runs map[int]*run
}

type run struct {
	cmd  *exec.Cmd
	exit chan supervisor.Exit
}

func (p *processes) Prepare(_ context.Context, n int, _ string) (<-chan supervisor.Exit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &run{exec.Command(p.argv[0], p.argv[1:]...), make(chan supervisor.Exit, 1)}
	p.runs[n] = r
	return r.exit, nil
}

func (p *processes) Start(_ context.Context, n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.runs[n]
	if err := r.cmd.Start(); err != nil {
		r.cmd.Process = nil
		return err
	}
	go func() {
		r.cmd.Wait()
		status := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			r.exit <- supervisor.Exit{Signal: status.Signal()}
		} else {
			r.exit <- supervisor.Exit{Code: status.ExitStatus()}
		}
	}()
	return nil
}

func (p *processes) Signal(_ context.Context, n int, signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.runs[n]
	if r.cmd.Process == nil { // killed before it was started: what is prepared owes its Exit
		r.exit <- supervisor.Exit{Signal: signal}
		return nil
	}
	return r.cmd.Process.Signal(signal)
}

func (p *processes) Kill(ctx context.Context, n int) error   { return p.Signal(ctx, n, syscall.SIGKILL) }
func (p *processes) Freeze(context.Context, int, bool) error { return nil }
func (p *processes) Clean(context.Context, int) error        { return nil }

func Example() {
	s := supervisor.New(func(e supervisor.Event) { fmt.Println(e.Gateway, e.Kind, e.Launch) })
	err := s.Add(supervisor.Gateway{
		Name:     "sleeper",
		Launcher: &processes{argv: []string{"sleep", "3600"}, runs: map[int]*run{}},
		Policy:   supervisor.Policy{Stop: supervisor.StopPolicy{Timeout: 10 * time.Second}},
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := s.Start(context.Background(), "sleeper"); err != nil { // returns when it is ready
		fmt.Println(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// sleeper launch-preparing 1
	// sleeper launch-created 1
	// sleeper launch-started 1
	// sleeper launch-ready 1
	// sleeper launch-stopping 1
	// sleeper launch-ended 1
	// sleeper launch-cleaned 1
	// sleeper gateway-stopped 1
}
