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

// A file that is written anew restarts the gateway, at once and by a deploy: a
// standby is replaced as well. What is in a variable of gatewayd cannot change.
func TestSecretThatChanges(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rotate")
	i.keepSecret(canary + "-first")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
standby = "created"
listen = [{ name = "http", address = "127.0.0.1:$PORT" }]
secret = [{ name = "token", source = "file:$DIR/token" }]
`)
	i.mustStart()
	eventually(t, "a standby", func() error { return i.standby("web", "created") })
	for _, value := range []string{"-second", "-third"} {
		load := i.startLoad("PORT")
		i.keepSecret(canary + value)
		eventually(t, "the value "+value, func() error { return i.reads("/run/secrets/token", canary+value) })
		load.stop(t, refused, cut)
		eventually(t, "a standby", func() error { return i.standby("web", "created") })
	}
	i.hides(canary)
	i.mustStop()
	i.mustBeNothing()
}

// While a deploy is under way nobody looks at secrets: when it has failed somebody
// does, for what serves is what stays.
func TestSecretThatChangesInADeploy(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rotate-deploy")
	i.keepSecret(canary + "-first")
	i.configure(`
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "when=/slow:sleep=1500ms", "when=/slow:exit=3", "serve=inherit"]
ready.probe = "http://127.0.0.1:$PORT/"
ready.interval = "100ms"
listen = [{ name = "http", address = "127.0.0.1:$PORT" }]
secret = [{ name = "token", source = "file:$DIR/token" }]
`)
	i.mustStart()
	serves := i.awaitReady("web").Launch
	deploy := i.command("deploy", "web", "--wait", "--rootfs", i.version("fails", "slow"))
	if err := deploy.Start(); err != nil {
		t.Fatal(err)
	}
	i.await("web", "deploying", func(s state) bool { return s.Deploy != nil })
	i.keepSecret(canary + "-second")
	if err := deploy.Wait(); err == nil {
		t.Error("the deploy succeeds")
	}
	i.awaitLaunch("web", serves)
	eventually(t, "the new value", func() error { return i.reads("/run/secrets/token", canary+"-second") })
	i.mustStop()
	i.mustBeNothing()
}

func (i *instance) reads(path, want string) error {
	got, _, err := i.ask("PORT", "/read?path="+path)
	if err == nil && got != want {
		err = fmt.Errorf("%s holds %q", path, got)
	}
	return err
}

// A file is rewritten under the program, which is told; a standby has the new
// value, too. Nobody restarts.
func TestSecretThatIsRewritten(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "rewrite")
	i.keepSecret(canary + "-is-the-longer-one")
	i.configure(serving + `
secret = [{ name = "token", source = "file:$DIR/token", on_change = "signal:SIGUSR1" }, { name = "other", source = "exec:[\"cat\", \"$DIR/token\"]", on_change = "none" }]
standby = "created"
listen = [{ name = "never", address = "127.0.0.1:$PORT2" }]
[gateway.waits]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=127.0.0.1:$PORT3"]
secret = [{ name = "token", source = "file:$DIR/missing" }]
`)
	_ = i.start() // waits has failed
	launch := i.awaitReady("web")
	eventually(t, "a standby", func() error { return i.standby("web", "created") })
	i.must("reexec")
	i.tell("PORT", "ignore=USR1")
	for _, value := range []string{"-short", "-and-a-longer-one-again"} {
		i.keepSecret(canary + value)
		eventually(t, "the value "+value, func() error { return i.reads("/run/secrets/token", canary+value) })
		if err := i.reads("/run/secrets/other", canary+"-is-the-longer-one"); err != nil {
			t.Error(err)
		}
	}
	if now := i.awaitReady("web"); now.Launch != launch.Launch || now.Pid != launch.Pid {
		t.Errorf("it is %+v, was %+v", now, launch)
	}
	// For what another gateway has, or nobody has written, what failed is not tried
	// again: only when it began, and by the reexec, which reads the configuration.
	if tried := i.records("EVENT=launch-ended", "GATEWAY=waits"); len(tried) != 2 {
		t.Errorf("waits was launched %d times, not 2", len(tried))
	}
	mustWrite(t, filepath.Join(i.dir, "missing"), canary)
	i.awaitReady("waits")
	// Who takes over has the new value.
	eventually(t, "a standby", func() error { return i.standby("web", "created") })
	i.tell("PORT", "exit=3")
	eventually(t, "the new value", func() error { return i.reads("/run/secrets/token", canary+"-and-a-longer-one-again") })
	i.hides(canary)
	i.mustStop()
	i.mustBeNothing()
}

// A program that ends for what a secret was, and is another one by then, is started
// again with it and not held until the next change.
func TestSecretThatChangedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "late")
	i.keepSecret(canary + "-wrong")
	i.configure("log_level = \"debug\"\n" + serving + `
secret = [{ name = "token", source = "file:$DIR/token", on_change = "none" }]
`)
	i.mustStart()
	launch := i.awaitReady("web").Launch
	i.keepSecret(canary + "-right")
	i.awaitRecord("the change", func(r record) bool { return strings.Contains(r.message(), "secret token has changed: none") })
	i.tell("PORT", "exit=78")
	i.awaitLaunch("web", launch)
	if err := i.reads("/run/secrets/token", canary+"-right"); err != nil {
		t.Error(err)
	}
	i.tell("PORT", "exit=78") // for the same once more
	i.awaitHeld()
	i.mustStop()
}
