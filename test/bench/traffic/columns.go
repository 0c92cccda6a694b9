package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gatewayd/gatewayd/test/bench/service"
)

// Keys of the columns, stable in JSON.
const (
	bare    = "systemd"
	socket  = "socket"
	podman  = "podman"
	none    = "gatewayd-none"
	created = "gatewayd-created"
	warm    = "gatewayd-warm"
)

var columns = []string{bare, socket, podman, none, created, warm}

var names = map[string]string{
	bare: "bare systemd service", socket: "systemd .socket + service", podman: "podman run in a unit",
	none: "gatewayd, no standby", created: "gatewayd, created standby", warm: "gatewayd, warm standby",
}

var standby = map[string]string{none: "none", created: "created", warm: "warm"}

// Variants of a column's unit.
const (
	slowly = "-slow"   // two seconds before it listens
	often  = "-deploy" // deployed again and again
	hardly = "-hard"   // the same, and the program does not linger
)

// Ways to a gateway that are no columns.
const (
	ownSocket = "own"   // in a container of gatewayd, on a socket of its own
	proxyUnix = "unix"  // gatewayd's proxy, over a unix socket
	proxyTCP  = "tcp"   // over loopback
	pasta     = "pasta" // in a network namespace that pasta forwards to
	rootless  = "rootlessport"
)

// Keys of gatewayd's configuration, beside those of each.
const (
	forKills  = "restart.reset_after = \"20ms\"\n"
	forDeploy = "restart.reset_after = \"20ms\"\nready.interval = \"20ms\"\nstop.timeout = \"5s\"\ndeploy.drain = \"200ms\"\ndeploy.confirm = \"10s\"\n"
)

// definer makes units one after the other, each with a port of its own.
type definer struct {
	*bench
	ctx    context.Context
	port   int
	rootfs string
	err    error
}

func (b *bench) define(ctx context.Context) error {
	d := &definer{bench: b, ctx: ctx, port: 18100}
	d.rootfs, d.err = b.tree("rootfs")
	for _, key := range columns {
		d.column(key, "", forKills)
		d.column(key, slowly, forKills, "--warmup", "2s")
	}
	for key := range standby {
		d.column(key, often, forDeploy)
		d.column(key, hardly, forDeploy, "--linger", "0")
	}
	d.paths()
	return d.err
}

func (d *definer) address() string {
	d.port++
	return "127.0.0.1:" + strconv.Itoa(d.port)
}

func (d *definer) column(key, variant, keys string, args ...string) {
	p := service.Program{Address: d.address(), Args: args}
	unit := "traffic-" + key + variant
	switch key {
	case bare:
		d.units[key+variant] = service.Bare(unit, d.binary, p)
	case socket:
		d.units[key+variant] = service.Activated(unit, d.binary, p)
	case podman:
		tree, err := d.tree("podman" + variant)
		d.fail(err)
		d.units[key+variant] = service.Podman(unit, tree, p, "--network=host")
	default:
		d.gatewayd(key+variant, p, probed(p.Address)+keys+fmt.Sprintf("standby = %q\n", standby[key])+listen(p.Address, "inherit", ""))
	}
}

func (d *definer) paths() {
	p := service.Program{Address: d.address()}
	d.gatewayd(ownSocket, p, probed(p.Address))
	d.proxied(proxyUnix, "unix:/run/web/web.sock", "unix:/run/web/web.sock")
	d.proxied(proxyTCP, "127.0.0.1:0", "127.0.0.1:{port}")
	d.units[pasta] = service.Pasta("traffic-"+pasta, d.binary, "18098")
	tree, err := d.tree("podman-" + rootless)
	d.fail(err)
	d.units[rootless] = service.Forwarded("traffic-"+rootless, tree, d.address())
}

func (d *definer) gatewayd(key string, p service.Program, keys string) {
	u, err := service.Gatewayd(d.ctx, "traffic-"+key, d.dir, d.rootfs, p, keys)
	d.fail(err)
	d.units[key] = u
}

// proxied is one whose program listens elsewhere than where clients ask.
func (d *definer) proxied(key, to, inside string) {
	address := d.address()
	d.gatewayd(key, service.Program{Address: inside}, probed(address)+listen(address, "proxy", to))
	if u := d.units[key]; u != nil {
		u.Address = address
	}
}

func (d *definer) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func probed(address string) string {
	return fmt.Sprintf("ready.probe = %q\n", "http://"+address+"/healthz")
}

func listen(address, mode, to string) string {
	text := fmt.Sprintf("[[gateway.web.listen]]\nname = \"http\"\naddress = %q\nmode = %q\n", address, mode)
	if to != "" {
		text += fmt.Sprintf("to = %q\n", to)
	}
	return text
}
