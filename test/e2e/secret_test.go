package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretly is a gateway with a secret in a file and one in a variable.
const secretly = serving + `
[[gateway.web.secret]]
name = "token"
source = "file:$DIR/token"
[[gateway.web.secret]]
name = "variable"
source = "env:TOKEN"
as = "env:WEB_TOKEN"
`

// keepSecret writes what only gatewayd's user may read, as an editor does: by
// another file.
func (i *instance) keepSecret(value string) {
	path := filepath.Join(i.dir, "token")
	mustWrite(i.t, path+".new", value)
	if err := os.Rename(path+".new", path); err != nil {
		i.t.Fatal(err)
	}
}

// has fails for a gateway that has not both secrets.
func (i *instance) has(file, variable string) {
	i.t.Helper()
	if got := i.mustAsk("PORT", "/read?path=/run/secrets/token"); got != file {
		i.t.Errorf("the file holds %q, want %q", got, file)
	}
	env := i.mustAsk("PORT", "/env")
	for _, want := range []string{"WEB_TOKEN=" + variable, "CREDENTIALS_DIRECTORY=/run/secrets"} {
		if !strings.Contains(env, want+"\n") {
			i.t.Errorf("no %s in the environment:\n%s", want, env)
		}
	}
}

// guarded fails where another process of the same user finds something in
// gatewayd's own.
func (i *instance) guarded() {
	i.t.Helper()
	for _, name := range []string{"environ", "mem", "fd", "maps"} {
		if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", i.mainPid(), name)); !errors.Is(err, fs.ErrPermission) {
			i.t.Errorf("/proc/PID/%s is open to others: %v", name, err)
		}
	}
}

// What gatewayd holds is closed to others, over reexecs too, and the launches of
// each image have all of it.
func TestSecretsOverReexecs(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "secrets")
	i.environment("TOKEN=" + canary + "-variable")
	i.keepSecret(canary + "-file")
	i.configure(secretly)
	i.mustStart()
	launch := i.awaitReady("web").Launch
	for round := range 3 {
		i.has(canary+"-file", canary+"-variable")
		i.guarded()
		i.hides(canary)
		if round < 2 {
			i.must("reexec")
			i.guarded()
			i.must("restart", "web")
			if now := i.awaitReady("web").Launch; now <= launch {
				t.Errorf("launch %d after %d", now, launch)
			}
		}
	}
	i.mustStop()
	i.mustBeNothing()
}
