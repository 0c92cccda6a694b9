package launch

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/testenv"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// serving is a gateway that serves at address, and on a unix socket in its tree.
func (b *bench) serving(address string) config.Gateway {
	b.t.Helper()
	g := gatewayOn(b.source(), "/prog", "program", "serve", address)
	g.Mounts = append(g.Mounts, config.Mount{Source: reachableSelf(), Target: "/prog", ReadOnly: true})
	g.Staging = b.staging
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
	port, err := testenv.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
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

	g.Ready.Probe = execProbe("/bin/sh", "-c", "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status; readlink /proc/self/ns/net; exit 9")
	r = b.startReady(g)
	err := r.Probe(t.Context(), r.n)
	if err == nil {
		t.Fatal("a probe that exits with 9 succeeds")
	}
	wants := []string{"exit code 9", "NoNewPrivs:\\t1", "Seccomp:\\t2", "CapInh:\\t0000000000000000", "CapPrm:\\t0000000000000000",
		"CapEff:\\t0000000000000000", "CapBnd:\\t0000000000000000", "CapAmb:\\t0000000000000000", namespace(t, r.pid(), "net")}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the probe says %v, not %q", err, want)
		}
	}
	r.clean()
}

// What the container's filter refuses, an exec probe is refused, too.
func suiteExecProbeFilter(t *testing.T, b *bench) {
	profile := filepath.Join(b.dir, "profile.json")
	must(t, os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}`), 0o644))
	for seccomp, want := range map[string]string{
		"default":    "unshare: " + syscall.EPERM.Error(), // by the filter: anybody may unshare what is shared
		"unconfined": "unshare: <nil>, sethostname: " + syscall.EPERM.Error(),
		profile:      "unshare: <nil>, sethostname: " + syscall.EOPNOTSUPP.Error(),
	} {
		g := b.serving(freeAddress(t))
		g.Isolation.Seccomp = seccomp
		g.Ready.Probe = execProbe("/prog", "program", "forbidden")
		r := b.startReady(g)
		if err := r.Probe(t.Context(), r.n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the probe says %v, not %q", seccomp, err, want)
		}
		r.clean()
	}
}

// A filter that cannot be made is no reason to go without.
func suiteExecProbeBadFilter(t *testing.T, b *bench) {
	g := b.gateway("echo ready; exec sleep 1000")
	g.Isolation.Seccomp = filepath.Join(b.dir, "profile.json")
	must(t, os.WriteFile(g.Isolation.Seccomp, []byte(`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 65536}`), 0o644))
	g.Ready.Probe = execProbe("/bin/true")
	err := b.refused(t.Context(), g)
	if !errors.Is(err, supervisor.ErrPermanent) || !strings.Contains(err.Error(), "exec probe: compile seccomp profile: ") {
		t.Errorf("prepare = %v", err)
	}
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
