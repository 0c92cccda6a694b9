package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/posture"
)

func verifyCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "verify NAME [--json]",
		Short: "Read back from the kernel how a gateway is isolated",
		Long: `Verify has the daemon read back from the kernel how the launch that serves is
isolated, as it was before the gateway was ready, and lists what was promised beside
what is found. It exits 1 when something differs; the gateway goes on.`,
		Example: "  gatewayd verify web",
		Args:    exactArgs("NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			return ask(func(ctx context.Context, c *control.Client) error {
				return verify(ctx, c, command.OutOrStdout(), asJSON, args[0])
			})
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return command
}

func verify(ctx context.Context, c *control.Client, w io.Writer, asJSON bool, name string) error {
	v, err := c.Verify(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(w, v)
	} else {
		err = control.WriteVerification(w, v)
	}
	if n := v.Differences(); err == nil && n > 0 {
		err = fmt.Errorf("%s is not isolated as promised: %d of %d differ", name, n, len(v.Findings))
	}
	return err
}

// Verify asks the kernel, and changes what Status tells.
func (d *daemon) Verify(ctx context.Context, name string) (control.Verification, error) {
	if err := d.known(name); err != nil {
		return control.Verification{}, err
	}
	s, _ := d.state(name)
	entry, _ := d.gateways.get(name)
	report, err := entry.launcher.Verify(ctx, s.Launch)
	if err != nil {
		return control.Verification{}, err
	}
	info := entry.launcher.Told(s.Launch)
	if err := report.Err(); err != nil {
		d.log.Error(name+": "+err.Error(), event("posture"), zap.String("gateway", name), zap.Int("launch", s.Launch), zap.String("container_id", info.ID))
	}
	return control.Verification{
		Launch: s.Launch, ID: info.ID, Pid: info.Pid, At: time.Now(), Findings: findings(report.Findings), Unseen: report.Unseen,
	}, nil
}

func findings(of []posture.Finding) []control.Finding {
	var list []control.Finding
	for _, f := range of {
		list = append(list, control.Finding(f))
	}
	return list
}
