package e2e

import (
	"testing"
	"time"
)

// patience is generous: it is only used up by a test that fails.
const patience = 30 * time.Second

// eventually waits until holds returns nil, and fails with its last error.
func eventually(t testing.TB, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
