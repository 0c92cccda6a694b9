package launch

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
)

// serving is a gateway that serves at address, and on a unix socket in its tree.
func (b *bench) serving(address string) config.Gateway {
	b.t.Helper()
	g := gatewayOn(b.source(), "/prog", "program", "serve", address)
	g.Mounts = append(g.Mounts, config.Mount{Source: b.Self, Target: "/prog", ReadOnly: true})
	return g
}

func suiteProbes(t *testing.T, b *bench) {
	address := freeAddress(t)
	g := b.serving(address)
	for kind, url := range map[config.ProbeKind]string{
		config.ProbeHTTP:   "http://" + address,
		config.ProbeTCP:    address,
		config.ProbeUnix:   "/socket",
		config.ProbeNotify: "",
	} {
		t.Run(string(kind), func(t *testing.T) {
			g.Ready.Probe = config.Probe{Kind: kind, URL: url}
			r := b.startReady(g)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			must(t, r.Probe(ctx, r.n))
			r.clean()
			if err := r.Probe(ctx, r.n); err == nil {
				t.Error("the probe of a launch that is gone succeeds")
			}
		})
	}
	for kind, url := range map[config.ProbeKind]string{config.ProbeHTTP: "http://" + address, config.ProbeUnix: "/socket", config.ProbeNotify: ""} {
		t.Run(string(kind)+" of what does not answer", func(t *testing.T) {
			g := b.gateway("echo ready; exec sleep 1000")
			g.Ready.Probe = config.Probe{Kind: kind, URL: url}
			r := b.startReady(g)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := r.Probe(ctx, r.n); err == nil {
				t.Error("the probe succeeds")
			}
			r.clean()
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func execProbe(argv ...string) config.Probe { return config.Probe{Kind: config.ProbeExec, Argv: argv} }

// An exec probe runs inside, with no more rights than the program has.
func suiteExecProbe(t *testing.T, b *bench) {
	for _, network := range []string{"host", "none"} {
		t.Run("network "+network, func(t *testing.T) { b.execProbe(t, network) })
	}
}

func (b *bench) execProbe(t *testing.T, network string) {
	g := b.gateway("echo within >/tmp/file; echo ready; exec sleep 1000")
	g.Isolation.Network = network
	g.Ready.Probe = execProbe("/bin/sh", "-c", "[ $(cat /tmp/file) = within ] && [ -e /packaged ] && tr '\\0' ' ' </proc/1/cmdline | grep -q '^sleep 1000'")
	r := b.startReady(g)
	waitFor(t, "the exec", func() bool { return strings.HasPrefix(commandLine(r.pid()), "sleep") })
	must(t, r.Probe(t.Context(), r.n))
	r.clean()

	g.Ready.Probe = execProbe("/bin/sh", "-c", "grep -E '^(Cap|NoNew)' /proc/self/status; readlink /proc/self/ns/net; exit 9")
	r = b.startReady(g)
	err := r.Probe(t.Context(), r.n)
	if err == nil {
		t.Fatal("a probe that exits with 9 succeeds")
	}
	wants := []string{"exit code 9", "NoNewPrivs:\\t1", "CapInh:\\t0000000000000000", "CapPrm:\\t0000000000000000",
		"CapEff:\\t0000000000000000", "CapBnd:\\t0000000000000000", "CapAmb:\\t0000000000000000", namespace(t, r.pid(), "net")}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the probe says %v, not %q", err, want)
		}
	}
	r.clean()
}

func suiteExecProbeHangs(t *testing.T, b *bench) {
	g := b.gateway("echo ready; exec sleep 1000")
	g.Ready.Probe = execProbe("/bin/sh", "-c", "trap '' TERM; sleep 2000 & sleep 3000")
	r := b.startReady(g)
	before := len(alive())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := r.Probe(ctx, r.n); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("probe = %v, want it cut by its deadline", err)
	}
	waitFor(t, "the end of what the probe started", func() bool { return len(alive()) == before })

	asked := make(chan error, 1)
	go func() { asked <- r.Probe(context.Background(), r.n) }()
	waitFor(t, "the probe", func() bool { return len(alive()) == before+4 }) // nsenter, a shell, two sleeps
	if b.Cgroup != nil {
		for _, pid := range alive() {
			inLeaf(t, pid, b, r.id())
		}
	}
	r.clean()
	if err := <-asked; err == nil {
		t.Error("a probe that Clean has ended succeeds")
	}
}
