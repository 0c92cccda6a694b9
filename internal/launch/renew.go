package launch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/internal/step"
)

// Stale tells which of the secrets of launch n, among those that are wanted, have
// another value at their source by now. Which cannot be read is an error; the
// launch has the value that it had.
func (l *Launcher) Stale(ctx context.Context, n int, wanted func(config.Secret) bool) (stale []config.Secret, err error) {
	la := l.find(n)
	if la == nil {
		return nil, nil
	}
	var has []secret
	if err := la.inTurn(ctx, func() error { has = slices.Clone(la.secrets); return nil }); err != nil {
		return nil, err
	}
	defer la.host.children.hold()() // of a program that is asked
	var errs []error
	for _, of := range la.gateway.Secrets {
		if !wanted(of) {
			continue
		}
		changed, err := la.host.changed(ctx, of, has)
		errs = append(errs, err)
		if changed {
			stale = append(stale, of)
		}
	}
	return stale, errors.Join(errs...)
}

func (h *Host) changed(ctx context.Context, of config.Secret, has []secret) (bool, error) {
	i := slices.IndexFunc(has, func(s secret) bool { return s.of.Name == of.Name })
	value, err := secrets.Sources{Lookup: h.Env}.Read(ctx, of)
	defer clear(value)
	switch {
	case errors.Is(err, secrets.ErrAbsent) && !of.Required:
		return i >= 0, nil
	case err != nil:
		return false, err
	}
	return i < 0 || has[i].sum != sha256.Sum256(value), nil
}

// Outdate ends a launch that has an older value of a secret and does not serve.
func (l *Launcher) Outdate(n int, cause error) {
	if la := l.find(n); la != nil {
		la.fault.Store(&cause)
		go endAll([]*launch{la})
	}
}

// errNotMounted says that there is no file to rewrite: there was no such secret
// when the container was made, or it is in a variable.
var errNotMounted = errors.New("the launch has no file of it")

// Rewrite writes the value that a secret has now into the file that launch n has
// mounted, and then sends the signal that tells the program. The file is the same
// one, so who reads it meanwhile may find a part of each value.
func (l *Launcher) Rewrite(ctx context.Context, n int, of config.Secret) error {
	return l.turn(ctx, n, func(la *launch, ctx context.Context) error {
		i := slices.IndexFunc(la.secrets, func(s secret) bool { return s.of.Name == of.Name })
		if i < 0 || la.secrets[i].file == nil {
			return fmt.Errorf("rewrite secret %s: %w", of.Name, errNotMounted)
		}
		if err := la.rewrite(ctx, &la.secrets[i]); err != nil {
			return fmt.Errorf("rewrite secret %s: %w", of.Name, err)
		}
		if la.process == nil || la.reaped || !la.started {
			return nil // it reads it when it starts
		}
		return la.process.Signal(of.OnChange.Signal)
	})
}

func (la *launch) rewrite(ctx context.Context, s *secret) error {
	value, err := secrets.Sources{Lookup: la.host.Env}.Read(ctx, s.of)
	if err != nil {
		return err
	}
	defer clear(value)
	la.host.Redact.Add(la.gateway.Name+"/"+s.of.Name, value)
	// A file system that is full says so before a part of the value is written.
	err = unix.Fallocate(int(s.file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, int64(len(value)))
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return os.NewSyscallError("fallocate", err)
	}
	// Not cut to nothing first: that would be a moment without a secret.
	if _, err := s.file.WriteAt(value, 0); err != nil {
		return err
	}
	if err := s.file.Truncate(int64(len(value))); err != nil {
		return err
	}
	step.Done("secret-rewritten")
	s.sum = sha256.Sum256(value) // not before: the next look tries again
	return nil
}
