package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// column is one way to keep the gateway alive: a user unit and its figures.
type column struct {
	Figures
	unit     string            // name of the unit
	address  string            // where its gateway listens
	files    map[string]string // relative to the directory of units → text
	remove   []string          // argv that removes what a stop may leave; nil: none
	idleOnly bool
}

// Keys of the columns, stable in JSON.
const (
	keyBare     = "systemd"
	keyPodman   = "podman"
	keyGatewayd = "gatewayd"
	keyNoProbe  = "gatewayd-without-probe"
)

const prefix = "gatewayd-bench-"

func newColumn(key, name, address string) *column {
	return &column{
		Figures: Figures{Key: key, Name: name},
		unit:    prefix + key + ".service", address: address, files: map[string]string{},
	}
}

// bare is the binary as a plain service.
func bare(binary, address string) *column {
	c := newColumn(keyBare, "bare systemd user service (RestartSec=0)", address)
	c.files[c.unit] = service(binary + " example-gateway --address " + address)
	return c
}

// podman is the binary as the root of a container, in the foreground of a unit.
func podman(rootfs, address string) *column {
	c := newColumn(keyPodman, "podman run in a unit", address)
	name := prefix + keyPodman
	c.files[c.unit] = service("/usr/bin/env podman run --rm --replace --name "+name+
		" --cgroups=disabled --network=host --log-driver=passthrough --rootfs "+rootfs+
		" /gatewayd example-gateway --address "+address) + "Delegate=yes\n"
	c.remove = []string{"podman", "rm", "--force", "--ignore", "--time=0", name}
	return c
}

func service(command string) string {
	return "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=" + command +
		"\nRestart=always\nRestartSec=0\nLimitCORE=0\nTimeoutStopSec=20s\n"
}

// gatewayd is the unit that is installed, with its own configuration and
// directories, so that a gatewayd of the same user is not disturbed.
func gatewayd(ctx context.Context, key, dir, rootfs, address string, probed bool) (*column, error) {
	c := newColumn(key, "gatewayd", address)
	shipped, err := systemctl(ctx, "show", "--property=FragmentPath", "--value", "gatewayd.service")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(strings.TrimSpace(shipped))
	if err != nil {
		return nil, fmt.Errorf("read unit gatewayd.service: %w (make install puts it there)", err)
	}
	c.files[c.unit] = string(text)
	own := prefix + key
	state, configuration := filepath.Join(dir, key), filepath.Join(dir, key+".toml")
	c.files[c.unit+".d/bench.conf"] = "[Service]\nRuntimeDirectory=\nRuntimeDirectory=" + own + " " + own + "/gatewayd\nRuntimeDirectoryPreserve=no\n" +
		"Environment=GATEWAYD_CONFIG=" + configuration + " XDG_STATE_HOME=" + state + " XDG_RUNTIME_DIR=%t/" + own + "\n"
	ready := ""
	if probed {
		ready = fmt.Sprintf("ready.probe = %q\n", "http://"+address+"/healthz")
	}
	config := fmt.Sprintf("[gateway.web]\nrootfs = %q\ncommand = [\"/gatewayd\", \"example-gateway\", \"--address\", %q]\nrestart.reset_after = \"1s\"\n%s",
		rootfs, address, ready)
	if err := os.WriteFile(configuration, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return c, nil
}
