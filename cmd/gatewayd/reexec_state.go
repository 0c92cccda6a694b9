package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/handover"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// handed is what one image of the daemon hands to the next. A field that an older
// gatewayd would misread, or miss, is a new handover.Version.
type handed struct {
	Name     string              `json:"name"` // of the directories
	Images   int                 `json:"images"`
	Held     time.Time           `json:"held"` // since when nobody supervises
	Level    string              `json:"level"`
	Runtime  handedRuntime       `json:"runtime"`
	Overlays launch.OverlayState `json:"overlays"`
	Unswept  []string            `json:"unswept,omitempty"`
	Longest  time.Duration       `json:"longest"` // stop timeout
	Gateways []handedGateway     `json:"gateways"`
	Secrets  []redact.Value      `json:"secrets,omitempty"` // not to be shown by any image

	Environment map[string]string `json:"environment,omitempty"` // what of it is secret
}

type handedRuntime struct {
	Want   string         `json:"want"`
	Binary runtime.Binary `json:"binary"`          // without a name: there is none
	Error  string         `json:"error,omitempty"` // why there is none
}

type handedGateway struct {
	File     config.Gateway       `json:"file"`
	Newest   string               `json:"newest"` // of the launcher's revisions
	State    supervisor.State     `json:"state"`
	Launcher launch.LauncherState `json:"launcher"`
}

// Names of the daemon's files.
const (
	fileLock    = "lock"
	fileControl = "control"
	fileRuntime = "runtime"
)

// readHanded reads a state, and finds fault with one that could not be taken
// over: after the exec it is too late.
func readHanded(t *handover.Taken) (*handed, error) {
	var h handed
	if err := handover.Decode(t.State, &h); err != nil {
		return nil, err
	}
	if h.Name == "" {
		return nil, errors.New("read state: it is nobody's")
	}
	for _, g := range h.Gateways {
		err := g.State.Check()
		if _, known := g.Launcher.Revisions[g.State.Revision]; err == nil && !known {
			err = fmt.Errorf("revision %s is not among those that are known", g.State.Revision)
		}
		if err != nil {
			return nil, fmt.Errorf("read state of %s: %w", g.File.Name, err)
		}
	}
	return &h, nil
}
