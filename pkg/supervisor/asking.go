package supervisor

import (
	"context"
	"errors"
	"fmt"
)

// ask posts a request and waits for its answer, for ctx, or for the end of the loop.
func (l *loop) ask(ctx context.Context, request func(*waiter) input) error {
	w := &waiter{answer: make(chan error, 1)}
	select {
	case l.inbox <- request(w):
	case <-l.done:
		return ErrUnknownGateway
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.answer:
		return err
	case <-l.done:
		return w.last()
	case <-ctx.Done():
		return l.giveUp(ctx, w)
	}
}

// last is the answer that was given in the loop's last turn, if any.
func (w *waiter) last() error {
	select {
	case err := <-w.answer:
		return err
	default:
		return ErrUnknownGateway
	}
}

// giveUp withdraws a waiter, and says what it waited for.
func (l *loop) giveUp(ctx context.Context, w *waiter) error {
	select {
	case l.inbox <- withdraw{w}:
	default: // a loop that is so far behind may as well answer to nobody
	}
	s := l.snapshot.Load()
	err := fmt.Errorf("still %s: %w", s.busy(), context.Cause(ctx))
	if s.ProbeError != nil {
		return fmt.Errorf("%w; last probe: %w", err, s.ProbeError)
	}
	return errors.Join(append([]error{err}, s.Leftovers...)...)
}

// busy says what a gateway is at.
func (s *snapshot) busy() string {
	if s.Deploying != nil {
		return s.Deploying.words()
	}
	return string(s.Phase)
}

// shutdown ends the loop for good.
func (l *loop) shutdown(ctx context.Context) error {
	err := l.ask(ctx, func(w *waiter) input { return askLeave{who: w, abandon: true} })
	if errors.Is(err, ErrUnknownGateway) { // it is gone already
		return nil
	}
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", l.gateway.Name, err)
	}
	return nil
}
