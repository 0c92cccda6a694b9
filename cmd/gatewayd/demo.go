package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

const demoName = "gatewayd-demo"

// demoConfiguration is what demo runs: ten lines that a first own gateway could
// begin with.
const demoConfiguration = `runtime = %s

[gateway.example]
rootfs  = %s
command = ["/gatewayd", "example-gateway", "--address", %s]

[gateway.example.ready]
probe = %s
`

func demoCommand() *cobra.Command {
	var address, wanted string
	command := &cobra.Command{
		Use:   "demo",
		Short: "Run an example gateway, to see what gatewayd does",
		Long: `Demo keeps an example gateway alive as run does with yours: gatewayd's own binary,
staged as a tree of its own, in a container. Ctrl-C ends it and leaves nothing.`,
		Example: "  gatewayd demo",
		Args:    exactArgs(),
		RunE: func(command *cobra.Command, _ []string) error {
			return demo(command.OutOrStdout(), address, wanted)
		},
	}
	command.Flags().StringVar(&address, "address", "127.0.0.1:8090", "where the example gateway listens")
	command.Flags().StringVar(&wanted, "runtime", "auto", "auto, youki, crun, runc or an absolute path")
	return command
}

func demo(w io.Writer, address, wanted string) error {
	return runDaemon(daemonOptions{
		name:      demoName,
		temporary: true,
		load:      func(env environment) (*config.Config, error) { return demoConfig(env, address, wanted) },
		prepare: func(dirs launch.Dirs) error {
			fmt.Fprintln(w, "gatewayd demo: staging an example gateway …")
			return stageDemo(dirs)
		},
		ready: func(b runtime.Binary, gateways []control.Gateway) {
			explainDemo(w, address, b, gateways)
		},
	})
}

func demoConfig(env environment, address, wanted string) (*config.Config, error) {
	dirs, err := launch.Directories(demoName, os.Geteuid(), env.get)
	if err != nil {
		return nil, err
	}
	quote := strconv.Quote // a Go string is a TOML basic string, for what stands here
	text := fmt.Sprintf(demoConfiguration, quote(wanted), quote(demoSource(dirs)), quote(address), quote("http://"+address+"/healthz"))
	return config.Parse("demo", []byte(text))
}

func demoSource(dirs launch.Dirs) string { return filepath.Join(dirs.State, "source") }

// stageDemo makes the packaged tree of the example gateway: one static binary.
func stageDemo(dirs launch.Dirs) error {
	source := demoSource(dirs)
	if err := bundle.Remove(context.Background(), dirs.State, filepath.Base(source), bundle.RemoveOptions{}); err != nil {
		return err
	}
	if err := os.Mkdir(source, 0o755); err != nil {
		return fmt.Errorf("stage example gateway: %w", err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("stage example gateway: %w", err)
	}
	defer func() { _ = self.Close() }()
	binary, err := os.OpenFile(filepath.Join(source, "gatewayd"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return fmt.Errorf("stage example gateway: %w", err)
	}
	if _, err := io.Copy(binary, self); err != nil {
		_ = binary.Close()
		return fmt.Errorf("stage example gateway: %w", err)
	}
	return binary.Close()
}

func explainDemo(w io.Writer, address string, b runtime.Binary, gateways []control.Gateway) {
	for _, g := range gateways {
		fmt.Fprintf(w, `
%s is %s: container %s, pid %d, %s %s (%s)

  see it       curl http://%s/
  crash it     curl http://%s/crash     or   kill -9 %d
  what is on   GATEWAYD_INSTANCE=%s gatewayd status
  end it       Ctrl-C

`, g.Name, g.Phase, g.ID, g.Pid, b.Name, b.Version, b.Path, address, address, g.Pid, demoName)
	}
}
