package main

import (
	"os"
	"strings"

	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// environment is gatewayd's own as it was at start. The process keeps no more
// of it than the runtime needs: go-runc passes on all that it finds.
type environment struct {
	values  map[string]string
	systemd systemd.Environment
	sockets map[string][]*os.File // what systemd has handed over
}

// captureEnvironment reads the environment, and then clears it down to the
// runtime's allowlist and NOTIFY_SOCKET, which go-runc holds back by itself.
func captureEnvironment() (environment, error) {
	fromSystemd, err := systemd.ReadEnvironment()
	if err != nil {
		return environment{}, err
	}
	sockets := systemd.TakeSockets() // before anything is started that would take them for its own
	all := os.Environ()
	env := environment{values: make(map[string]string, len(all)), systemd: fromSystemd, sockets: sockets}
	for _, pair := range all {
		name, value, _ := strings.Cut(pair, "=")
		env.values[name] = value
	}
	os.Clearenv()
	kept := runtime.EnvironmentFor(all)
	if fromSystemd.NotifySocket != "" {
		kept = append(kept, "NOTIFY_SOCKET="+fromSystemd.NotifySocket)
	}
	for _, pair := range kept {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return environment{}, err
		}
	}
	return env, nil
}

func (e environment) lookup(name string) (string, bool) {
	value, ok := e.values[name]
	return value, ok
}

func (e environment) get(name string) string { return e.values[name] }

func (e environment) list() []string {
	list := make([]string, 0, len(e.values))
	for name, value := range e.values {
		list = append(list, name+"="+value)
	}
	return list
}
