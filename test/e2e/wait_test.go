package e2e

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is generous: it is only used up by a test that fails.
const patience = 30 * time.Second

// eventually waits until holds returns nil, and fails with its last error.
func eventually(t testing.TB, what string, holds func() error) {
	t.Helper()
	eventuallyWithin(t, patience, what, holds)
}

func eventuallyWithin(t testing.TB, patience time.Duration, what string, holds func() error) {
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

// longer is how much of something there is: with GATEWAYD_TEST_LONG=1 as much as
// finds what is rare, and else as much as fits into a suite that is run often.
func longer[T any](short, long T) T {
	if os.Getenv("GATEWAYD_TEST_LONG") == "1" {
		return long
	}
	return short
}

// locked is what a program says while a test looks at it.
type locked struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *locked) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
