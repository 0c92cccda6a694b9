package launch

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// endLeft ends the processes of a launch of which only the name is known, and
// its leaf if it has one: by the launch's id, for what a killed runtime left
// before there was a record; by the recorded process, the init of the pid
// namespace, whose end is the end of all in it; and by the leaf. The runtime's
// come first, since they would make others.
func (h *Host) endLeft(ctx context.Context, id string, leaf *runtime.Leaf) error {
	errs := []error{endNamed(ctx, id)}
	if identity, ok := readRecord(filepath.Join(h.Dirs.Launches(), id)); ok && identity.Alive() {
		errs = append(errs, identity.Kill(ctx))
	}
	if leaf != nil {
		errs = append(errs, leaf.Kill(ctx))
	}
	return errors.Join(errs...)
}

// endNamed looks again until it finds none: they may have forked meanwhile.
func endNamed(ctx context.Context, id string) error {
	for {
		named, err := runtime.ProcessesNaming(id)
		if err != nil {
			return err
		}
		if len(named) == 0 {
			return nil
		}
		for _, identity := range named {
			if err := identity.Kill(ctx); err != nil {
				return err
			}
		}
	}
}
