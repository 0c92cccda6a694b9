package launch

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/listen"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// image is what another image of this process makes of the launch: all that it
// has is the state as text, and copies of the files that were packed. Between the
// images, when nobody looks, happens is called.
func (r *run) image(happens func()) *run {
	r.t.Helper()
	files := map[string]*os.File{}
	pack := func(name string, c syscall.Conn) error {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(fd uintptr) {
			copied, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
			must(r.t, err)
			files[name] = os.NewFile(uintptr(copied), name)
		})
	}
	state, err := r.Suspend(r.t.Context(), pack)
	must(r.t, err)
	text, err := json.Marshal(state)
	must(r.t, err)
	var read LauncherState
	must(r.t, json.Unmarshal(text, &read))
	again, err := json.Marshal(read)
	must(r.t, err)
	if !bytes.Equal(again, text) {
		r.t.Errorf("read back: %s\nwritten: %s", again, text)
	}
	if happens != nil {
		happens()
	}
	before := r.Launcher
	r.t.Cleanup(before.Continue) // so that its goroutines end
	for _, p := range before.ports.all() {
		p.Leave()
	}
	return r.resume(read, files)
}

func (r *run) resume(state LauncherState, files map[string]*os.File) *run {
	r.t.Helper()
	given := func(name string) *os.File {
		defer delete(files, name)
		return files[name]
	}
	sockets := map[string][]*os.File{}
	for packed := range files {
		if name, ok := SocketName(packed); ok {
			sockets[name] = append(sockets[name], given(packed))
		}
	}
	b := r.b
	host := &Host{
		Dirs: b.Dirs, Runtime: b.Runtime, Cgroup: b.Cgroup, Env: b.Env, Self: b.Self, Write: b.Write, Log: b.Log, pretends: b.pretends,
		Sockets: listen.NewSockets(sockets),
	}
	next := &run{NewLauncher(host), r.t, b, r.n, nil}
	r.t.Cleanup(next.clean)
	must(r.t, next.Resume(r.t.Context(), state, given))
	if len(files) > 0 {
		r.t.Errorf("%d files were packed and not taken: %v", len(files), files)
	}
	if next.Info(r.n).ID != r.id() || next.Info(r.n).Pid != r.pid() || !slices.Contains(state.IDs(), r.id()) {
		r.t.Errorf("it is %+v, was %+v", next.Info(r.n), r.Info(r.n))
	}
	return next
}

// adopted waits for the end with the new image.
func (r *run) adopted() *run {
	r.t.Helper()
	var err error
	r.exits, err = r.Adopt(r.n)
	must(r.t, err)
	return r
}

// A program goes on under another image: what it writes is not lost, its end is
// known, and nothing of it is left.
func suiteImage(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("trap 'echo more; exit 7' TERM; echo ready; while :; do sleep 0.01; done"))
	r = r.image(nil).image(nil).adopted()
	must(t, r.Signal(t.Context(), r.n, syscall.SIGTERM))
	if exit := r.exit(); exit.Code != 7 {
		t.Errorf("exit = %+v", exit)
	}
	if got := b.out.texts(r.id()); !slices.Equal(got, []string{"ready", "more"}) {
		t.Errorf("output %q", got)
	}
	r.clean()
}

// What ends when no image looks has its true end all the same.
func suiteImageMissesTheEnd(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("echo ready; sleep 1000"))
	ended := r.find(r.n).process.Exited()
	r = r.image(func() {
		must(t, syscall.Kill(r.pid(), syscall.SIGKILL))
		<-ended
	}).adopted()
	if exit := r.exit(); exit != (supervisor.Exit{Signal: syscall.SIGKILL}) {
		t.Errorf("exit = %+v", exit)
	}
	r.clean()
}

// A container that waits to begin does so when another image asks.
func suiteImageOfCreated(t *testing.T, b *bench) {
	r := b.prepare(b.gateway("echo begun; exit 3")).image(nil).adopted()
	must(t, r.Start(t.Context(), r.n))
	if exit := r.exit(); exit.Code != 3 {
		t.Errorf("exit = %+v", exit)
	}
	if got := b.out.texts(r.id()); !slices.Equal(got, []string{"begun"}) {
		t.Errorf("output %q", got)
	}
	r.clean()
}

// A Suspend that comes to nothing changes nothing.
func suiteContinue(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("echo ready; sleep 0.1; echo more; sleep 1000"))
	for range 3 {
		_, err := r.Suspend(t.Context(), func(string, syscall.Conn) error { return nil })
		must(t, err)
		r.Continue()
	}
	if _, err := r.Suspend(t.Context(), func(string, syscall.Conn) error { return os.ErrInvalid }); err == nil {
		t.Error("what cannot be packed is handed over")
	}
	r.says("more")
	must(t, r.Kill(t.Context(), r.n))
	if exit := r.exit(); exit.Signal != syscall.SIGKILL {
		t.Errorf("exit = %+v", exit)
	}
}

// Probes of every kind ask the same launch as before.
func suiteImageIsProbed(t *testing.T, b *bench) {
	for name, g := range map[string]config.Gateway{
		"notify": b.gateway(`echo ready; [ -S "$NOTIFY_SOCKET" ] && sleep 1000`),
		"exec":   b.gateway("echo ready; sleep 1000"),
	} {
		g.Ready.Probe = execProbe("/bin/sh", "-c", "true")
		if name == "notify" {
			g = b.serving(freeAddress(t))
			g.Ready.Probe = config.Probe{Kind: config.ProbeNotify}
		}
		r := b.startReady(g)
		must(t, r.Probe(t.Context(), r.n))
		r = r.image(nil).image(nil).adopted()
		must(t, r.Probe(t.Context(), r.n))
		must(t, r.Kill(t.Context(), r.n))
		r.exit()
		r.clean()
	}
}

// A launch that has ended and cannot be cleaned yet is cleaned by another image.
func suiteImageOfLeftover(t *testing.T, b *bench) {
	r := b.startReady(b.gateway("echo ready; sleep 1000"))
	must(t, r.Kill(t.Context(), r.n))
	r.exit()
	r = r.image(nil)
	r.clean()
	if info := r.Info(r.n); !info.Cleaned {
		t.Errorf("%+v", info)
	}
}

// A bare process that had not begun cannot be gone on with, and can be cleaned.
func TestImageOfBareThatHasNotBegun(t *testing.T) {
	b := bareBench(t)
	r := b.prepare(b.bareServing("idle"))
	state, err := r.Suspend(t.Context(), func(string, syscall.Conn) error { return nil })
	must(t, err)
	r.Continue()
	next := &run{NewLauncher(b.Host), t, b, r.n, nil}
	t.Cleanup(next.clean)
	if err := next.Resume(t.Context(), state, func(string) *os.File { return nil }); err == nil {
		t.Error("it is resumed")
	}
	if _, err := next.Adopt(r.n); err == nil {
		t.Error("it is adopted")
	}
	if _, err := next.Adopt(r.n + 1); err == nil {
		t.Error("what was not handed over is adopted")
	}
}

// The launches of a gateway keep their slots and places behind a proxy, and the
// connections that they have.
func suiteImageInherits(t *testing.T, b *bench) {
	imageTraffic(t, b, b.inheriting("", freeAddress(t)))
}

func suiteImageBehindProxy(t *testing.T, b *bench) {
	imageTraffic(t, b, b.proxied("port", freeAddress(t), "127.0.0.1:0"))
}

func imageTraffic(t *testing.T, b *bench, g config.Gateway) {
	s := b.site(g)
	r, other := s.serving(), s.ready()
	want := s.body(0)
	held, err := s.get(0, "/hold")
	must(t, err)
	defer func() { _ = held.Body.Close() }()
	s.flies(r.n, 1)
	next := &site{r.image(nil).Launcher, b, g}
	next.flies(r.n, 1)
	if got := next.body(0); got != want {
		t.Errorf("%q answers, not %q", got, want)
	}
	must(t, next.Switch(other.n, 100))
	if got := next.body(0); got == want {
		t.Errorf("%q answers after the switch", got)
	}
	next.flies(r.n, 1)
	for _, n := range []int{r.n, other.n} {
		must(t, next.Kill(t.Context(), n))
		must(t, next.Clean(t.Context(), n))
	}
	must(t, next.Close())
}

// body is what listen i answers.
func (s *site) body(i int) string {
	s.b.t.Helper()
	response, err := s.get(i, "/")
	must(s.b.t, err)
	defer func() { _ = response.Body.Close() }()
	text := make([]byte, 100)
	n, _ := response.Body.Read(text)
	return string(text[:n])
}

// A map that two went on with would be changed by one while the other reads it,
// which ends the process.
func TestResumedStateRemainsTheCallers(t *testing.T) {
	b := bareBench(t)
	first, second := b.bareServing("idle"), b.bareServing("busy")
	state := LauncherState{Gateway: first.Name, Revisions: map[string]config.Gateway{"1": first}, Newest: "1"}
	l := NewLauncher(b.Host)
	must(t, l.Resume(t.Context(), state, func(string) *os.File { return nil }))
	must(t, l.Define("2", second))
	l.Forget("1")
	if _, ok := state.Revisions["1"]; !ok || len(state.Revisions) != 1 {
		t.Errorf("the state that was handed over has %d revisions", len(state.Revisions))
	}
}
