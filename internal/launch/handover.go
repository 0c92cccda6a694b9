package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Another image of this process goes on with all launches: it is the parent of
// the same processes, and the zombie of one that ends between the images keeps
// its status until Clean. So nothing is asked of a container, and nothing of it
// is touched; what it writes waits in its pipes.

// Pack takes an open file along to another image by a name. It stays the
// caller's.
type Pack func(name string, file syscall.Conn) error

// Given returns what was packed by a name, which is the caller's then; nil: it
// was not.
type Given func(name string) *os.File

// LauncherState is a Launcher as Suspend finds it.
type LauncherState struct {
	Gateway   string                    `json:"gateway"`
	Revisions map[string]config.Gateway `json:"revisions"`
	Newest    string                    `json:"newest"`
	Ports     []portState               `json:"ports,omitempty"`
	Launches  []launchState             `json:"launches,omitempty"`
}

// Suspend holds the launches and the ports as they are, and packs what another
// image needs to go on with them. No call of the supervisor is under way, and
// none comes, until Continue. After an error everything goes on as before.
func (l *Launcher) Suspend(ctx context.Context, pack Pack) (s LauncherState, err error) {
	l.mu.Lock()
	s = LauncherState{Gateway: l.newest.Name, Revisions: maps.Clone(l.revisions), Newest: l.newestRevision}
	numbers := slices.Sorted(maps.Keys(l.launches))
	l.mu.Unlock()
	defer func() {
		if err != nil {
			l.Continue()
			err = fmt.Errorf("suspend launches of %s: %w", s.Gateway, err)
		}
	}()
	for _, n := range numbers {
		state, err := l.suspend(ctx, n, pack)
		if err != nil {
			return s, err
		}
		s.Launches = append(s.Launches, state)
	}
	s.Ports, err = l.ports.suspend(ctx, pack)
	return s, err
}

func (l *Launcher) suspend(ctx context.Context, n int, pack Pack) (launchState, error) {
	la := l.find(n)
	if err := la.take(ctx); err != nil {
		return launchState{}, err
	}
	l.suspended = append(l.suspended, la)
	return la.suspend(ctx, func(name string, file syscall.Conn) error {
		return pack(fmt.Sprintf("%s.%d.%s", la.gateway.Name, n, name), file)
	})
}

// Relaying is how many connections gatewayd relays that it has rescued: no other
// image can go on with those.
func (l *Launcher) Relaying() int {
	n := 0
	for _, p := range l.ports.all() {
		n += p.Relaying()
	}
	return n
}

// Continue lets go on what Suspend has held. It is harmless where nothing is.
func (l *Launcher) Continue() {
	for _, la := range l.suspended {
		la.resume()
		la.give()
	}
	l.suspended = nil
	l.ports.resume()
}

// Adopt goes on with a launch of an earlier image of this process.
func (l *Launcher) Adopt(n int) (<-chan supervisor.Exit, error) {
	la := l.find(n)
	switch {
	case la == nil:
		return nil, fmt.Errorf("adopt launch %d: an earlier gatewayd did not hand it over", n)
	case la.process == nil:
		return nil, fmt.Errorf("adopt launch %s: it has no process: %w", la.id, la.lost)
	}
	return la.exits, nil
}

// IDs are those of the launches, which a sweep must spare.
func (s LauncherState) IDs() []string {
	var ids []string
	for _, la := range s.Launches {
		if la.ID != "" {
			ids = append(ids, la.ID)
		}
	}
	return ids
}

// copies are files that were made to be packed.
type copies []io.Closer

func (c copies) close() error {
	errs := make([]error, 0, len(c))
	for _, file := range c {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
