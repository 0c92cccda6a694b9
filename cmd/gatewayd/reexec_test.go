package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/handover"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// handedOver is what a daemon with one gateway hands over, as text.
func handedOver(t testing.TB) []byte {
	t.Helper()
	c, err := config.Parse("test", []byte(`
[gateway.web]
rootfs = "/srv/web"
command = ["/web"]
env.static = { A = "b" }
ready.probe = "http://127.0.0.1:8090/"
standby = "warm"
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:8090"
`))
	if err != nil {
		t.Fatal(err)
	}
	s := supervisor.New(nil)
	g := c.Gateways[0]
	if err := s.Add(supervisor.Gateway{Name: "web", Revision: "1", Launcher: launch.NewLauncher(&launch.Host{}), Stopped: true}); err != nil {
		t.Fatal(err)
	}
	states, err := s.Suspend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Continue()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := handed{Name: "gatewayd", Images: 1, Held: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Level: "info", Gateways: []handedGateway{{
		File: g, Newest: "1", State: states["web"],
		Launcher: launch.LauncherState{Gateway: "web", Revisions: map[string]config.Gateway{"1": g}, Newest: "1"},
	}}}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What is read is all that was written: what is dropped would be lost.
func TestHandedIsReadBack(t *testing.T) {
	text := handedOver(t)
	h, err := readHanded(&handover.Taken{State: text})
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(h)
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("%v: read back %s\nwritten %s", err, again, text)
	}
	if h.Gateways[0].File.Revision() != h.Gateways[0].Launcher.Revisions["1"].Revision() {
		t.Error("the gateway is another one")
	}
}

// A state that could not be gone on with is refused before anything is touched.
func TestFaultyStates(t *testing.T) {
	good := string(handedOver(t))
	for name, c := range map[string]struct{ old, new, want string }{
		"a field of later":  {`"images":1`, `"images":1,"later":true`, "unknown field"},
		"no name":           {`"name":"gatewayd"`, `"name":""`, "nobody's"},
		"unknown revision":  {`"revisions":{"1"`, `"revisions":{"2"`, "revision 1"},
		"another phase":     {`"phase":"stopped"`, `"phase":"happy"`, "contradicts"},
		"another type":      {`"images":1`, `"images":"1"`, "read state"},
		"two states":        {`{"name"`, `{} {"name"`, "follows"},
		"what is cut short": {good[len(good)/2:], "", "read state"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%s: nothing is replaced", name)
		}
		if _, err := readHanded(&handover.Taken{State: json.RawMessage(text)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What an earlier gatewayd has handed over is taken for as long as the version is
// the same: a field that it did not have has a meaning without it.
func TestEarlierStatesAreTaken(t *testing.T) {
	for name, text := range seeds(t) {
		h, err := readHanded(&handover.Taken{State: json.RawMessage(text)})
		if err != nil {
			t.Errorf("%s: %v; is it time for a new handover.Version?", name, err)
		} else if len(h.Gateways) == 0 {
			t.Errorf("%s: no gateway", name)
		}
	}
}

// What a reload removes is gone before anything else is asked: the next image would
// not know of it.
func TestReexecWaitsForRemovals(t *testing.T) {
	d := testDaemon(t)
	d.gateways.put(gateway{file: config.Gateway{Name: "stays"}})
	leaving := gateway{file: config.Gateway{Name: "old"}, gone: make(chan struct{})}
	d.gateways.put(leaving)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := d.tryReexec(ended); err == nil || !strings.Contains(err.Error(), "wait for old, which a reload has removed") {
		t.Error(err)
	}
	close(leaving.gone)
	if err := d.awaitRemoved(t.Context()); err != nil {
		t.Error(err)
	}
}

func seeds(t testing.TB) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/handed/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no seeds", err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(text)
	}
	return texts
}

// Whatever is handed over, it is refused or its gateways go on: nothing panics.
func FuzzHanded(f *testing.F) {
	f.Add(string(handedOver(f)))
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := readHanded(&handover.Taken{State: json.RawMessage(text)})
		if err != nil {
			return
		}
		for _, g := range h.Gateways {
			if _, known := g.Launcher.Revisions[g.State.Revision]; !known {
				t.Errorf("revision %s is taken, and not known", g.State.Revision)
			}
			for _, id := range g.Launcher.IDs() {
				if id == "" {
					t.Error("a launch without a name would keep the sweep from all")
				}
			}
		}
	})
}
