package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/gatewayd/gatewayd/internal/control"
)

// Supervised says whether gatewayd keeps this one.
func (u *Unit) Supervised() bool { return u.control != "" }

// Pid is that of the gateway that serves, as this host sees it. gatewayd tells
// it; a standby looks the same from outside.
func (u *Unit) Pid(ctx context.Context) (int, error) {
	if !u.Supervised() {
		return gatewayPid(u.Address)
	}
	g, err := u.Status(ctx)
	if err == nil && g.Pid <= 1 {
		err = fmt.Errorf("find the gateway of %s: it is %s", u.Name, g.Phase)
	}
	return g.Pid, err
}

// Status is what gatewayd says of the gateway.
func (u *Unit) Status(ctx context.Context) (control.Gateway, error) {
	report, err := control.Dial(u.control).Status(ctx)
	if err != nil {
		return control.Gateway{}, err
	}
	if len(report.Gateways) != 1 {
		return control.Gateway{}, fmt.Errorf("status of %s: %d gateways", u.Name, len(report.Gateways))
	}
	return report.Gateways[0], nil
}

// Await waits until gatewayd says of the gateway what is wanted.
func (u *Unit) Await(ctx context.Context, what string, is func(control.Gateway) bool) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for {
		g, err := u.Status(ctx)
		if err == nil && is(g) {
			return nil
		}
		if err == nil {
			err = errors.New(g.Phase)
		}
		if e := Pause(ctx, 10*time.Millisecond); e != nil {
			return u.Explain(ctx, fmt.Errorf("wait until %s is %s: %w", u.Name, what, err))
		}
	}
}

// Gatewayd runs a command of the binary against the unit's gatewayd.
func (u *Unit) Gatewayd(ctx context.Context, binary string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), u.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return u.Explain(ctx, fmt.Errorf("gatewayd %v: %w: %s", args, err, bytes.TrimSpace(out)))
	}
	return nil
}

// Pause waits, unless ctx ends before.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Daemon looks at the process of gatewayd alone.
func (u *Unit) Daemon(ctx context.Context) (Usage, error) {
	report, err := control.Dial(u.control).Status(ctx)
	if err != nil {
		return Usage{}, err
	}
	return u.sum([]int{report.Pid})
}
