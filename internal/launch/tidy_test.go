package launch

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A try that took so long that nothing was cleaned in the time that was left for it
// has left its container until the next start of gatewayd.
func TestTryOfOverlaysIsTidiedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), new(atomic.Int32)
		new(Host).tidy(func(ctx context.Context) error {
			if until, ok := ctx.Deadline(); !ok || time.Until(until) != tidyTime {
				t.Errorf("call %d has until %s", calls.Load(), until)
			}
			if calls.Add(1) < 12 {
				return errors.New("busy")
			}
			return nil
		})
		if calls.Load() != 1 || time.Since(began) != 0 {
			t.Errorf("whoever wants to know has waited for %d calls, %s", calls.Load(), time.Since(began))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if calls.Load() != 12 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}
