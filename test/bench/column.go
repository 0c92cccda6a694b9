package main

import (
	"context"
	"fmt"

	"github.com/gatewayd/gatewayd/test/bench/service"
)

// column is one way to keep the gateway alive, and its figures.
type column struct {
	Figures
	*service.Unit
	idleOnly bool
}

// Keys of the columns, stable in JSON.
const (
	keyBare     = "systemd"
	keyPodman   = "podman"
	keyGatewayd = "gatewayd"
	keyNoProbe  = "gatewayd-without-probe"
	keyGuarded  = "gatewayd-with-secret"
)

func bare(binary, address string) *column {
	return &column{
		Figures: Figures{Key: keyBare, Name: "bare systemd user service (RestartSec=0)"},
		Unit:    service.Bare(keyBare, binary, service.Program{Address: address}),
	}
}

func podman(rootfs, address string) *column {
	return &column{
		Figures: Figures{Key: keyPodman, Name: "podman run in a unit"},
		Unit:    service.Podman(keyPodman, rootfs, service.Program{Address: address}, "--network=host"),
	}
}

func gatewayd(ctx context.Context, key, dir, rootfs, address string, probed bool) (*column, error) {
	keys := "restart.reset_after = \"1s\"\n"
	if probed {
		keys += fmt.Sprintf("ready.probe = %q\n", "http://"+address+"/healthz")
	}
	unit, err := service.Gatewayd(ctx, key, dir, rootfs, service.Program{Address: address}, keys)
	return &column{Figures: Figures{Key: key, Name: "gatewayd"}, Unit: unit}, err
}
