package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// situation is what is going on when gatewayd is killed.
type situation struct {
	name    string
	config  string
	ports   map[string]string
	unswept bool             // nobody sweeps but the next gatewayd
	before  func(k *killing) // brings the instance to where it begins
	act     func(k *killing) // returns when it is over, or gatewayd was killed
}

// each kind of a gateway: with an overlay, slots, a standby and a secret; with a copy, a
// proxy, data and READY=1; with ids of its own; and without a container.
const each = `
runtime = "$YOUKI"
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gateway", "serve=inherit"]
ready = { probe = "http://127.0.0.1:$PORT/", interval = "50ms" }
restart = { delay = "10ms", max_delay = "10ms" }
standby = "warm"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
[[gateway.web.secret]]
name = "token"
source = "file:$DIR/token"

[gateway.copied]
rootfs = "$DIR/tree"
stage = "copy"
command = ["/gateway", "bury=/dir", "orphan=1h", "unix=/run/copied/socket", "notify"]
ready.probe = "notify"
restart = { delay = "10ms", max_delay = "10ms" }
mount = [{ source = "data", target = "/data" }]
[[gateway.copied.listen]]
name = "http"
address = "unix:$DIR/copied.sock"
mode = "proxy"
to = "unix:/run/copied/socket"
`

const others = `
[gateway.ranged]
rootfs = "$ROOTFS"
command = ["/server", "127.0.0.1:$PORT2"]
ids = "range"
stage = "copy"
ready = { probe = "http://127.0.0.1:$PORT2/", interval = "50ms" }
restart = { delay = "10ms", max_delay = "10ms" }

[gateway.plain]
rootfs = "$ROOTFS"
command = ["/gateway", "orphan=1h", "serve=127.0.0.1:$PORT3"]
ready = { probe = "http://127.0.0.1:$PORT3/", interval = "50ms" }
restart = { delay = "10ms", max_delay = "10ms" }
isolation.bare = true
`

func situations() []situation {
	web := map[string]string{"web": "PORT"}
	return []situation{
		{name: "start", config: each + others, ports: web, before: (*killing).isDown, act: (*killing).start},
		{name: "crash", config: each + others, ports: web, act: (*killing).crash},
		{name: "deploy", config: each, ports: web, act: (*killing).deploy},
		{name: "stop", config: each + others, ports: web, before: (*killing).closeLeaves, act: (*killing).stop},
		{name: "reload", config: each, ports: web, act: (*killing).reload},
		{name: "reap", config: each + others, ports: web, act: (*killing).die},
		{name: "sweep", config: each + others, ports: web, unswept: true, act: (*killing).die},
		{name: "operator", config: each, ports: web, act: (*killing).operate},
		{name: "reexec", config: each, ports: web, act: (*killing).reexec},
		{name: "hopeless", config: each, ports: web, before: (*killing).isDown, act: (*killing).hopeless},
		{name: "held", config: each, ports: web, before: (*killing).isDown, act: (*killing).hold},
		{name: "rewrite", config: rewriting(), ports: web, act: (*killing).rewrite},
		{name: "away", config: each, ports: web, act: (*killing).away},
		{name: "crun", config: strings.Replace(each, "$YOUKI", "crun", 1), ports: web, before: (*killing).forgetOverlays, act: (*killing).start},
	}
}

// isDown leaves what an earlier life may have left: a history that is damaged, and
// what is known of a tree of long ago, and of no other. The path of a unix socket is
// there anyway.
func (k *killing) isDown() {
	t := k.i.t
	k.i.mustStop()
	history, digests := filepath.Join(k.i.state, "revisions/copied.json"), filepath.Join(k.i.state, "digests/old")
	must(t, errors.Join(os.RemoveAll(filepath.Dir(digests)), os.Mkdir(filepath.Dir(digests), 0o700)))
	must(t, errors.Join(os.WriteFile(history, []byte("damaged"), 0o600), os.WriteFile(digests, nil, 0o600)))
	must(t, os.Chtimes(digests, time.Time{}, time.Now().AddDate(-1, 0, 0)))
}

func (k *killing) start() { _ = k.i.start() } // it may be killed

// crash kills the program of each gateway. gatewayd may be killed before it answers,
// by a step that it does of itself, such as to tell systemd how it is.
func (k *killing) crash() {
	before, err := k.i.states()
	if err != nil && k.struck() {
		return
	}
	must(k.i.t, err)
	for _, s := range before {
		end(s.Pid)
	}
	k.await(func() bool {
		now, err := k.i.states()
		for name := range before {
			if err != nil || now[name].ID == before[name].ID {
				return false
			}
		}
		return true
	})
}

// end spares whoever has no pid: 0 is all of our own group.
func end(pid int) {
	if pid > 1 {
		_ = kill(pid, syscall.SIGKILL)
	}
}

// await waits until the situation is over or gatewayd is killed.
func (k *killing) await(over func() bool) {
	k.i.t.Helper()
	eventually(k.i.t, "the end of "+k.s.name, func() error {
		if k.struck() || over() {
			return nil
		}
		return errors.New("it goes on")
	})
}

// deploy brings each gateway a new launch, one of them not of a tree that is
// refused, and one an old one back.
func (k *killing) deploy() {
	refused := filepath.Join(k.i.dir, "refused")
	must(k.i.t, os.MkdirAll(refused, 0o700))
	if err := syscall.Mkfifo(filepath.Join(refused, "fifo"), 0o600); !errors.Is(err, os.ErrExist) {
		must(k.i.t, err)
	}
	_, _, _ = k.i.gatewayd("deploy", "copied", "--rootfs", refused)
	_, _, _ = k.i.gatewayd("deploy", "web", "--canary", "50%", "--for", "100ms")
	_, _, _ = k.i.gatewayd("deploy", "copied")
	_, _, _ = k.i.gatewayd("rollback", "web")
}

// closeLeaves does what a container may that has root's cgroups: nobody is to look
// into one of its own.
func (k *killing) closeLeaves() {
	for _, dir := range k.i.cgroups() {
		for _, leaf := range k.i.leaves() {
			closed := filepath.Join(dir, leaf, "closed")
			must(k.i.t, errors.Join(os.Mkdir(closed, 0o700), os.Chmod(closed, 0)))
		}
	}
}

func (k *killing) stop() {
	_ = k.i.stop()
	if err := k.i.nothing(); err != nil && !k.struck() {
		k.i.t.Errorf("after a stop: %v", err)
	}
}

// withoutCopied is the configuration without its last part.
func (k *killing) withoutCopied() string {
	before, _, _ := strings.Cut(k.s.config, "[gateway.copied]")
	return before
}

// reload takes a gateway away, changes the other one, and brings all back.
func (k *killing) reload() {
	changed := strings.Replace(k.withoutCopied(), `"serve=inherit"`, `"serve=inherit", "out=changed"`, 1)
	k.i.configure(changed)
	_, _, _ = k.i.gatewayd("reload")
	k.restore()
}

// restore brings all gateways back, also to a gatewayd that had just read the other
// configuration as it came up.
func (k *killing) restore() {
	k.i.t.Helper()
	k.i.configure(k.s.config)
	eventually(k.i.t, "a reload", func() error {
		if _, stderr, code := k.i.gatewayd("reload"); code != 0 {
			return fmt.Errorf("exit code %d: %s", code, stderr)
		}
		return nil
	})
}

// die is the death of gatewayd, and then comes the sweep.
func (k *killing) die() {
	before := k.i.mainPid()
	end(before)
	k.await(func() bool {
		now := k.i.mainPid()
		return now != 0 && now != before && k.i.property("ActiveState") == "active"
	})
}

// operate is what people do to a gateway.
func (k *killing) operate() {
	for _, args := range []string{"stop web", "start web", "restart copied", "stop copied", "start copied"} {
		_, _, _ = k.i.gatewayd(strings.Fields(args)...)
	}
	for _, name := range []string{"web", "copied"} {
		eventually(k.i.t, "start of "+name, func() error {
			if _, stderr, code := k.i.gatewayd("start", name); code != 0 {
				return fmt.Errorf("exit code %d: %s", code, stderr)
			}
			return nil
		})
	}
}

func (k *killing) reexec() { _, _, _ = k.i.gatewayd("reexec") }

// hopeless is a start that fails, and one of a gatewayd whose configuration is mended.
func (k *killing) hopeless() {
	k.i.configure(strings.NewReplacer(`"/gateway"`, `"/missing"`, "max_delay", "max_failures = 1, max_delay").Replace(k.s.config))
	_ = k.i.start()
	k.i.configure(k.s.config)
	k.start()
}

// hold is a gateway that is held, until its configuration is mended.
func (k *killing) hold() {
	k.i.configure(strings.Replace(k.s.config, `"serve=inherit"`, `"exit=78"`, 1))
	_ = k.i.start()
	k.await(func() bool {
		_, err := os.Lstat(filepath.Join(k.i.state, "held/web"))
		return err == nil
	})
	k.restore()
}

// rewriting is each with a secret that is rewritten in place.
func rewriting() string {
	return strings.NewReplacer(`"serve=inherit"`, `"ignore=HUP", "serve=inherit"`,
		`source = "file:$DIR/token"`, `source = "file:$DIR/token"`+"\n"+`on_change = "signal:SIGHUP"`).Replace(each)
}

// rewrite gives the program another value, in the file that it has.
func (k *killing) rewrite() {
	value := fmt.Sprintf("a secret of the web gateway, %016x", rand.Uint64())
	mustWrite(k.i.t, filepath.Join(k.i.dir, "token"), value)
	k.await(func() bool { return k.i.reads("/run/secrets/token", value) == nil })
}

// away is a gateway that is gone when gatewayd comes again, with its listeners kept
// by systemd.
func (k *killing) away() {
	k.i.configure(k.withoutCopied())
	k.die()
	k.restore()
}

// forgetOverlays has the next gatewayd try again.
func (k *killing) forgetOverlays() {
	k.i.mustStop()
	must(k.i.t, os.WriteFile(filepath.Join(k.i.state, "overlays.json"), []byte("{}"), 0o600))
}
