package launch

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
)

// Leave has the proxies accept no more: gatewayd is about to end, and who comes
// now waits in the kernel for the next one. What is relayed goes on.
func (l *Launcher) Leave() {
	for _, p := range l.ports.all() {
		if p.seat != nil {
			p.seat.Hold(true)
		}
	}
}

// Settle waits, after Leave, until the programs behind the proxies have taken up
// what was accepted for them, at most until ctx ends.
func (l *Launcher) Settle(ctx context.Context) {
	for _, p := range l.ports.all() {
		if p.seat != nil {
			p.seat.Settle(ctx)
		}
	}
}

// ListenFor closes the listeners that neither these revisions nor any launch
// has: a client would wait there for nobody. Other revisions stay known, and
// Prepare of one opens its listeners again.
func (l *Launcher) ListenFor(revisions ...string) {
	l.mu.Lock()
	var wanted []config.Listen
	for revision, g := range l.revisions {
		if slices.Contains(revisions, revision) {
			wanted = append(wanted, g.Listen...)
		}
	}
	l.mu.Unlock()
	l.pruneTo(wanted)
}

// prune closes the listeners that no known revision and no launch has any more.
func (l *Launcher) prune() {
	l.mu.Lock()
	var wanted []config.Listen
	for _, g := range l.revisions {
		wanted = append(wanted, g.Listen...)
	}
	l.mu.Unlock()
	l.pruneTo(wanted)
}

func (l *Launcher) pruneTo(wanted []config.Listen) {
	if err := l.ports.prune(wanted); err != nil {
		l.host.log().Warn("a listener cannot be given up", zap.String("event", "steering-failed"), zap.Error(err))
	}
}
