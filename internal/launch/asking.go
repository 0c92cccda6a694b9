package launch

import (
	"context"
	"errors"
	"sync"
)

// asking are the probes of a launch and the watch over its source, which run
// beside its other methods. Clean ends them before it gives away what they use: a
// descriptor or a pid that is free may be another launch's the next moment.
type asking struct {
	life   context.Context
	cancel context.CancelFunc
	under  *sync.RWMutex // held for reading by each of them that is under way
}

func newAsking() asking {
	life, cancel := context.WithCancel(context.Background())
	return asking{life, cancel, new(sync.RWMutex)}
}

// begin returns a context that ends with the launch, and what is to be called
// when what uses it is over.
func (a asking) begin(ctx context.Context) (_ context.Context, done func(), _ error) {
	a.under.RLock()
	if a.life.Err() != nil {
		a.under.RUnlock()
		return nil, nil, errors.New("it is gone")
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	return ctx, func() { stop(); cancel(); a.under.RUnlock() }, nil
}

// end cancels them and waits for them. None begins afterwards.
func (a asking) end() {
	a.cancel()
	a.under.Lock()
	a.under.Unlock() //nolint:staticcheck // nothing is to be done in between: it is waited for the readers
}
