package main

import (
	"os"
	"slices"
	"strings"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// environment is gatewayd's own as it was at start. The process keeps no more
// of it than the runtime needs: go-runc passes on all that it finds.
type environment struct {
	values  map[string]string
	systemd systemd.Environment
	sockets map[string][]*os.File // what systemd has handed over
	unwiped error                 // why /proc/PID/environ still shows it; nil: it does not
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
	env := environment{values: make(map[string]string, len(all)), systemd: fromSystemd, sockets: sockets, unwiped: secrets.WipeEnvironment()}
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

// list is without the variables that hold secrets.
func (e environment) list(secret ...string) []string {
	list := make([]string, 0, len(e.values))
	for name, value := range e.values {
		if !slices.Contains(secret, name) {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// only has the variables that hold secrets: they go to another image of this
// process in memory, and not by what /proc/PID/environ shows.
func (e environment) only(secret []string) map[string]string {
	values := make(map[string]string)
	for _, name := range secret {
		if value, ok := e.values[name]; ok {
			values[name] = value
		}
	}
	return values
}

// secretVariables are those that secrets come from, of any revision that may run.
func (d *daemon) secretVariables() []string {
	var names []string
	for _, entry := range d.gateways.all() {
		for _, g := range append(entry.defined.all(), entry.file) {
			for _, s := range g.Secrets {
				if s.Source.Kind == config.SecretEnv {
					names = append(names, s.Source.Name)
				}
			}
		}
	}
	return names
}

// guard keeps other processes from our memory once it holds what a configuration
// calls secret. It stays: what was read once is not found again to be cleared.
func guard(c *config.Config) error {
	if slices.ContainsFunc(c.Gateways, func(g config.Gateway) bool { return len(g.Secrets) > 0 }) {
		return secrets.Guard()
	}
	return nil
}
