package main

import (
	"context"
	"fmt"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// Path is one way from a client to a gateway.
type Path struct {
	Key     string    `json:"key"`
	Name    string    `json:"name"`
	Skipped string    `json:"skipped,omitempty"`
	Kept    []float64 `json:"kept_us,omitempty"` // medians of the turns
	KeptP99 []float64 `json:"kept_p99_us,omitempty"`
	Fresh   []float64 `json:"fresh_us,omitempty"`
	Bulk    []float64 `json:"bulk_mib_per_second,omitempty"`
}

// The first one is what the others are compared with.
func newPaths() []Path {
	return []Path{
		{Key: bare, Name: "direct: plain service"},
		{Key: ownSocket, Name: "gatewayd, the program's own socket"},
		{Key: none, Name: "gatewayd, inherit"},
		{Key: proxyUnix, Name: "gatewayd, proxy over unix"},
		{Key: proxyTCP, Name: "gatewayd, proxy over loopback"},
		{Key: pasta, Name: "pasta"},
		{Key: rootless, Name: "podman, rootlessport"},
	}
}

func (b *bench) measurePaths(ctx context.Context) {
	b.result.Paths = newPaths()
	for range b.rounds {
		for i := range b.result.Paths {
			p := &b.result.Paths[i]
			if p.Skipped != "" {
				continue
			}
			if err := b.ask(ctx, p); err != nil {
				p.Skipped = oneLine(err)
				b.complain(fmt.Errorf("paths, %s: %w", p.Name, err))
				b.stop(ctx, p.Key)
			}
		}
	}
}

// ask has one turn of each kind of client.
func (b *bench) ask(ctx context.Context, p *Path) error {
	u, err := b.start(ctx, p.Key)
	if err != nil {
		return err
	}
	turn := func(args ...string) (load.Result, error) {
		l, err := b.load(ctx, u.Address, append(args, "-for", "1s")...)
		if err != nil {
			return load.Result{}, err
		}
		return l.wait()
	}
	kept, err := turn("-kept", "1")
	if err != nil {
		return err
	}
	fresh, err := turn("-fresh", "200")
	if err != nil {
		return err
	}
	bulk, err := turn("-bulk", "1")
	if err != nil {
		return err
	}
	if n := kept.Kept.Failed() + fresh.Fresh.Failed(); n > 0 {
		b.complain(fmt.Errorf("paths, %s: %d requests failed", p.Name, n))
	}
	p.Kept, p.KeptP99 = append(p.Kept, kept.Kept.Latency.Median), append(p.KeptP99, kept.Kept.Latency.P99)
	p.Fresh, p.Bulk = append(p.Fresh, fresh.Fresh.Latency.Median), append(p.Bulk, bulk.Bulk)
	return nil
}
