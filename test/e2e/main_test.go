package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// programs are the paths of what the tests run.
var programs struct{ gatewayd, stepping, gateway, runtime, server string }

func TestMain(m *testing.M) {
	// Most tests wait most of the time. Before Parse: the command line overrides.
	_ = flag.Set("test.parallel", "6")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatewayd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := find(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// find takes what test/host has built and installed, and builds the rest.
func find(dir string) (err error) {
	if programs.gateway, err = built(dir, "gateway", "programs/gateway/gateway", "./programs/gateway"); err != nil {
		return err
	}
	if programs.runtime, err = built(dir, "runtime", "programs/runtime/runtime", "./programs/runtime"); err != nil {
		return err
	}
	if programs.server, err = built(dir, "server", "programs/server/server", "./programs/server"); err != nil {
		return err
	}
	installed := ""
	if inHost() {
		installed = "/usr/local/bin/gatewayd"
	}
	if programs.gatewayd, err = built(dir, "gatewayd", installed, "../../cmd/gatewayd"); err != nil {
		return err
	}
	programs.stepping, err = built(dir, "stepping", "programs/stepping/gatewayd", "../../cmd/gatewayd", "-tags", "steps")
	return err
}

func built(dir, name, ready, source string, options ...string) (string, error) {
	if _, err := os.Stat(ready); err == nil {
		return filepath.Abs(ready)
	}
	path := filepath.Join(dir, name)
	compiler, err := exec.LookPath("go")
	if err != nil {
		compiler = "/usr/local/go/bin/go"
	}
	command := exec.Command(compiler, slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=test"}, options, []string{"-o", path, source})...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	return path, nil
}

func inHost() bool {
	where := os.Getenv("GATEWAYD_TEST_HOST")
	return where == "user" || where == "root"
}
