package main

import (
	"os"
	"testing"
)

// The threads are there when they are needed, and stay.
func TestSpareThreads(t *testing.T) {
	const n = 40
	makeSpareThreads(n)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) < n {
		t.Errorf("%d threads, not %d: %v", len(threads), n, err)
	}
}
