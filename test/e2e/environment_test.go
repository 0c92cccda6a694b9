package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const canary = "canary-7f3a9c"

// A gateway sees what the configuration lists and the number of its launch, and
// nothing else of the host's.
func TestEnvironmentIsAnAllowlist(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "environment")
	i.environment("TOKEN="+canary, "PASSED=passed", "BLANK=\"  \"", "UNLISTED="+canary)
	i.configure(serving + `
[gateway.web.env]
static = { LOG = "info" }
pass = ["PASSED", "BLANK", "UNSET"]
required = ["TOKEN"]
`)
	i.mustStart()
	env := strings.Fields(strings.TrimSpace(i.mustAsk("PORT", "/env")))
	slices.Sort(env)
	want := []string{"GATEWAYD_LAUNCH=1", "LOG=info", "PASSED=passed", "TOKEN=" + canary}
	got := slices.DeleteFunc(slices.Clone(env), func(pair string) bool { return strings.HasPrefix(pair, "PATH=") })
	if !slices.Equal(got, want) {
		t.Errorf("the environment is %q, not %q and a PATH", env, want)
	}
	i.hides(canary)
}

// hides fails if text is in any file that gatewayd keeps, in its journal or in
// what it says. What a gateway itself writes is not gatewayd's.
func (i *instance) hides(text string) {
	i.t.Helper()
	for _, dir := range []string{i.run, i.state} {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if errors.Is(err, os.ErrPermission) && strings.HasSuffix(path, "/work/work") {
				return nil // of overlayfs, which keeps all out and no content there
			}
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), text) {
				i.t.Errorf("%s holds the canary", path)
			}
			return err
		})
		if err != nil {
			i.t.Error(err)
		}
	}
	table, _, _ := i.gatewayd("status")
	json, _, _ := i.gatewayd("status", "--json")
	if strings.Contains(table+json, text) {
		i.t.Error("status holds the canary")
	}
	for _, r := range i.records() {
		for name, value := range r {
			if s, _ := value.(string); strings.Contains(s, text) {
				i.t.Errorf("the journal holds the canary in %s=", name)
			}
		}
	}
	data, err := os.ReadFile("/proc/" + i.property("MainPID") + "/cmdline")
	if err != nil || strings.Contains(string(data), text) {
		i.t.Errorf("gatewayd's command line: %q %v", data, err)
	}
}

// Without a required variable one gateway fails, which names it, and a reload
// after it was set cannot help: the environment is that of gatewayd's start.
func TestRequiredVariable(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "required")
	i.environment("BLANK=\"  \"")
	i.configure(serving + `
[gateway.unset]
rootfs = "$ROOTFS"
command = ["/gateway"]
env.required = ["WEB_TOKEN"]
[gateway.blank]
rootfs = "$ROOTFS"
command = ["/gateway"]
env.required = ["BLANK"]
`)
	i.mustStart()
	for name, variable := range map[string]string{"unset": "WEB_TOKEN", "blank": "BLANK"} {
		s := i.await(name, "failed", func(s state) bool { return s.Phase == "failed" })
		if err := contains(s.Cause, variable); err != nil {
			t.Error(err)
		}
	}
	i.mustAsk("PORT", "/")
}

// A secret is in no file also when the create of its container fails, or the
// gateway never comes up.
func TestSecretsOfFailedLaunches(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "secret-failed")
	i.environment("TOKEN=" + canary)
	i.configure(serving + `
[gateway.broken]
rootfs = "$ROOTFS"
command = ["/no-such-program"]
env.required = ["TOKEN"]
restart = { delay = "10ms", max_failures = 4 }
`)
	i.mustStart()
	s := i.await("broken", "failed", func(s state) bool { return s.Phase == "failed" })
	if err := contains(s.Cause, "no-such-program"); err != nil {
		t.Errorf("the runtime's own words are not in the cause: %v", err)
	}
	i.hides(canary)
	eventually(t, "nothing of it left", func() error { return i.exactly(1) })
}
