package launch

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// daemon is a gatewayd that goes as far with a launch as it is told, says
// "ready" and waits to be killed. Its arguments are the directory of a bench,
// the runtime's path, the step, how it stages, and the script of the gateway.
func daemon(args []string) int {
	time.AfterFunc(time.Minute, func() { os.Exit(99) })
	if err := runtime.BecomeSubreaper(); err != nil {
		return code(err)
	}
	if err := steps(args[0], args[1], args[2], args[3], args[4]); err != nil {
		return code(err)
	}
	fmt.Println("ready")
	select {}
}

func steps(dir, path, step, stage, script string) error {
	host, err := openHost(context.Background(), dir, path, 0)
	if err != nil {
		return err
	}
	if step == "locked" {
		_, err := host.Dirs.Acquire() // until the kernel gives it up
		return err
	}
	started := make(chan struct{}, 1000)
	host.Write = func(context.Context, journal.Line) { started <- struct{}{} }
	g := gatewayOn(filepath.Join(dir, "source"), "/bin/sh", "-c", script)
	if script == becomeAnother {
		g = becoming(filepath.Join(dir, "source"), reachableSelf())
	}
	g.Staging = stagingOf(stage)
	g.Secrets = []config.Secret{{Name: "token", Source: config.SecretSource{Kind: config.SecretExec, Argv: []string{"echo", canary}}, Timeout: time.Minute}}
	l := launcherOf(host, g)
	if step == "preparing" {
		fmt.Println("ready")
	}
	if _, err := l.Prepare(context.Background(), 1, g.Revision()); err != nil || step == "created" {
		return err
	}
	if err := l.Start(context.Background(), 1); err != nil {
		return err
	}
	<-started
	if step == "cleaning" {
		fmt.Println("ready")
		return l.Clean(context.Background(), 1)
	}
	return nil
}

// killed runs a daemon to a step, and for as long as until lets it, then kills
// it as a crash does.
func (b *bench) killed(t *testing.T, path, step, script string, until func()) {
	t.Helper()
	b.source()
	cmd := exec.Command("/proc/self/exe", "daemon", b.dir, path, step, b.stage(), script)
	cmd.Env = append(os.Environ(), nameEnv+"="+gatewayName)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Errorf("the daemon says %q: %v", line, err)
	}
	if until != nil {
		until()
	}
	must(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
}

// stage is what stagingOf makes the bench's staging of.
func (b *bench) stage() string {
	if b.staging.IDs == "range" {
		return b.staging.Stage + " range"
	}
	return b.staging.Stage
}
