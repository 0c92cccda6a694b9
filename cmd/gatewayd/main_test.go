package main

import (
	"testing"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/launch"
)

// testDaemon has a host without anything, and nobody to tell.
func testDaemon(t *testing.T) *daemon {
	t.Helper()
	return &daemon{log: zap.NewNop(), host: &launch.Host{}, written: make(chan struct{}, 1)}
}
