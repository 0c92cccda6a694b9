package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Program is the example gateway, the same binary everywhere.
type Program struct {
	Address string   // where it listens, unless it inherits a socket
	Args    []string // more of its arguments
}

func (p Program) argv(binary string) []string {
	return append([]string{binary, "example-gateway", "--address", p.Address}, p.Args...)
}

// Bare is the binary as a plain service.
func Bare(key, binary string, p Program) *Unit {
	u := newUnit(key, p.Address)
	u.files[u.Name] = text(strings.Join(p.argv(binary), " "))
	return u
}

// Activated is the same behind a socket unit: systemd holds the socket.
func Activated(key, binary string, p Program) *Unit {
	u := Bare(key, binary, p)
	socket := strings.TrimSuffix(u.Name, ".service") + ".socket"
	u.files[socket] = "[Socket]\nListenStream=" + p.Address + "\nBacklog=4096\nNonBlocking=yes\nTriggerLimitIntervalSec=0\n"
	u.files[u.Name] += "NonBlocking=yes\n"
	u.files[u.Name] = strings.Replace(u.files[u.Name], "[Service]", "Requires="+socket+"\nAfter="+socket+"\n[Service]", 1)
	u.sockets = []string{socket}
	return u
}

// Podman is the binary as the root of a container, in the foreground of a unit.
// The network is podman's --network, and what belongs to it.
func Podman(key, rootfs string, p Program, network ...string) *Unit {
	u := newUnit(key, p.Address)
	name := Prefix + key
	u.files[u.Name] = text("/usr/bin/env --default-signal=PIPE podman run --rm --replace --name "+name+
		" --cgroups=disabled "+strings.Join(network, " ")+" --log-driver=passthrough --rootfs "+rootfs+
		" "+strings.Join(p.argv("/gatewayd"), " ")) + "Delegate=yes\n"
	u.remove = []string{"podman", "rm", "--force", "--ignore", "--time=0", name}
	return u
}

// Pasta is the binary in a network namespace of its own, with pasta as what
// forwards the port, as newer podman has it. Its default for SIGPIPE is what it
// wants to find.
func Pasta(key, binary, port string) *Unit {
	p := Program{Address: "0.0.0.0:" + port}
	u := newUnit(key, "127.0.0.1:"+port)
	u.files[u.Name] = text("/usr/bin/env --default-signal=PIPE pasta --config-net -t " + port + " -- " + strings.Join(p.argv(binary), " "))
	return u
}

func text(command string) string {
	return "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=" + command +
		"\nRestart=always\nRestartSec=0\nLimitCORE=0\nTimeoutStopSec=20s\n"
}

// Gatewayd is the unit that is installed, with its own configuration and
// directories below dir, so that a gatewayd of the same user is not disturbed.
// The configuration is that of one gateway, named web; keys are TOML beside its
// rootfs and command.
func Gatewayd(ctx context.Context, key, dir, rootfs string, p Program, keys string) (*Unit, error) {
	u := newUnit(key, p.Address)
	shipped, err := Systemctl(ctx, "show", "--property=FragmentPath", "--value", "gatewayd.service")
	if err != nil {
		return nil, err
	}
	unit, err := os.ReadFile(strings.TrimSpace(shipped))
	if err != nil {
		return nil, fmt.Errorf("read unit gatewayd.service: %w (make install puts it there)", err)
	}
	u.files[u.Name] = string(unit)
	own := Prefix + key
	state, configuration := filepath.Join(dir, key), filepath.Join(dir, key+".toml")
	u.files[u.Name+".d/bench.conf"] = "[Service]\nRuntimeDirectory=\nRuntimeDirectory=" + own + " " + own + "/gatewayd\nRuntimeDirectoryPreserve=no\n" +
		"Environment=GATEWAYD_CONFIG=" + configuration + " XDG_STATE_HOME=" + state + " XDG_RUNTIME_DIR=%t/" + own + "\n"
	runtime := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), own)
	u.control = filepath.Join(runtime, "gatewayd", "control.sock")
	u.env = []string{"GATEWAYD_CONFIG=" + configuration, "XDG_STATE_HOME=" + state, "XDG_RUNTIME_DIR=" + runtime}
	config := fmt.Sprintf("[gateway.web]\nrootfs = %q\ncommand = [\"%s\"]\n%s", rootfs, strings.Join(p.argv("/gatewayd"), `", "`), keys)
	return u, os.WriteFile(configuration, []byte(config), 0o600)
}

// Stage puts the binary into a root file system.
func Stage(binary, dest string) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("stage example gateway: %w", err)
	}
	return os.WriteFile(dest, content, 0o755)
}

// Forwarded is podman with a network of its own and rootlessport, which forwards
// the port into it.
func Forwarded(key, rootfs, address string) *Unit {
	host, port, _ := strings.Cut(address, ":")
	u := Podman(key, rootfs, Program{Address: "0.0.0.0:" + port},
		"--network=slirp4netns:port_handler=rootlesskit", "--publish="+host+":"+port+":"+port)
	u.Address = address
	return u
}
