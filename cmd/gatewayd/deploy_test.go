package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/control"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/revisions"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

func TestDeployRequest(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r, err := deployRequest("v2/", "", "10%", time.Minute)
	if err != nil || r.Rootfs != here+"/v2" || r.Bundle != "" || *r.Canary != 10 || time.Duration(r.CanaryFor) != time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := deployRequest("", "/b", "0%", 0); err != nil || r.Bundle != "/b" || *r.Canary != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := deployRequest("", "", "", 0); err != nil || r != (control.DeployRequest{}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, canary := range []string{"100%", "-1%", "much", "%", "1.5%", "+5%", "5"} {
		if _, err := deployRequest("", "", canary, 0); err == nil {
			t.Errorf("a canary of %s is taken", canary)
		}
	}
}

func TestExitCodeOfARollback(t *testing.T) {
	err := fmt.Errorf("outer: %w", &control.Error{Code: control.CodeRolledBack, Message: "back"})
	if code := exitCode(err); code != 5 {
		t.Errorf("exit code %d", code)
	}
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	until := now.Add(30 * time.Second)
	for _, test := range []struct {
		g    control.Gateway
		want string
	}{
		{control.Gateway{Revision: "3"}, "revision 3 serves"},
		{control.Gateway{Revision: "3", Deploy: &control.Deploy{Revision: "4", Stage: "waiting"}}, "revision 4 waits for an earlier launch to be gone"},
		{control.Gateway{Revision: "3", Deploy: &control.Deploy{Revision: "4", Launch: 9, Stage: "starting"}}, "revision 4: launch 9 is probed"},
		{control.Gateway{Revision: "4", Draining: []control.Drain{{Launch: 8, InFlight: 1, Until: until}}}, "revision 4 serves; launch 8 drains, 1 connection in flight, 30s left"},
	} {
		if got := progress(test.g, now); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// Without a cgroup of version 2 nothing can be frozen.
func TestWarmStandbyWithoutCgroup(t *testing.T) {
	d := testDaemon(t)
	g := config.Gateway{Name: "web", Standby: config.Standby{Mode: "warm", Check: time.Minute}}
	if p := d.policy(g); p.Standby.Mode != supervisor.CreatedStandby || p.Standby.Check != time.Minute {
		t.Errorf("%+v", p.Standby)
	}
	d.host.Cgroup = new(runtime.Cgroup)
	if p := d.policy(g); p.Standby.Mode != supervisor.WarmStandby {
		t.Errorf("%+v", p.Standby)
	}
}

// What accepts from a socket that all launches share must not be frozen.
func TestWarmStandbyOnASharedSocket(t *testing.T) {
	d := testDaemon(t)
	d.host.Cgroup = new(runtime.Cgroup)
	g := config.Gateway{Name: "web", Standby: config.Standby{Mode: "warm"}}
	for _, test := range []struct {
		listen config.Listen
		want   supervisor.StandbyMode
	}{
		{config.Listen{Name: "http", Address: "unix:/run/web.sock", Mode: "inherit"}, supervisor.CreatedStandby},
		{config.Listen{Name: "http", Address: "systemd:web", Mode: "inherit"}, supervisor.CreatedStandby},
		{config.Listen{Name: "http", Address: "unix:/run/web.sock", Mode: "proxy"}, supervisor.WarmStandby},
		{config.Listen{Name: "http", Address: "127.0.0.1:1", Mode: "inherit"}, supervisor.WarmStandby},
	} {
		g.Listen = []config.Listen{test.listen}
		if got := d.policy(g).Standby.Mode; got != test.want {
			t.Errorf("%+v: the standby is %s, want %s", test.listen, got, test.want)
		}
		if why := d.notWarm(g); (why == "") != (test.want == supervisor.WarmStandby) {
			t.Errorf("%+v: status says %q", test.listen, why)
		}
	}
}

func TestCanaryWantsTwoLaunches(t *testing.T) {
	listening := config.Gateway{Listen: []config.Listen{{Name: "http", Address: "127.0.0.1:1", Mode: "inherit"}}}
	for _, test := range []struct {
		g      config.Gateway
		canary int
		says   string
	}{
		{config.Gateway{}, 0, ""}, {listening, 10, ""},
		{config.Gateway{}, 10, "side by side"}, {listening, 100, "want 0 to 99"}, {listening, -1, "want 0 to 99"},
	} {
		err := change{gateway: test.g, canary: test.canary}.checkCanary()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("canary of %d: %v, want %q", test.canary, err, test.says)
		}
	}
}

// What became of each revision is noted, from events in the order of the machine.
func TestHistoryFollowsEvents(t *testing.T) {
	h, err := revisions.Open(t.TempDir(), "web")
	if err != nil {
		t.Fatal(err)
	}
	d := testDaemon(t)
	d.gateways.put(gateway{file: config.Gateway{Name: "web"}, history: h})
	happens := func(kind supervisor.EventKind, revision, of string) {
		e := supervisor.Event{Gateway: "web", Kind: kind, Revision: revision, Cause: errors.New("why")}
		d.note(e, launch.Info{Revision: of, Digest: "sha256:" + of})
	}
	states := func(want string) {
		t.Helper()
		got := ""
		all, serving := h.List()
		for _, r := range all {
			got += describeRevision(r, serving, config.Gateway{}).State + " "
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("history: %s, want %s", got, want)
		}
	}
	add := func() { h.Add("deploy", config.Gateway{}, config.Gateway{}) }

	add()
	h.Serve(1)
	happens(supervisor.LaunchReady, "", "1")
	add()
	happens(supervisor.DeployStarted, "2", "1")
	happens(supervisor.LaunchReady, "", "2")
	states("serving under way")
	happens(supervisor.DeploySwitched, "2", "2")
	states("served serving")
	add()
	happens(supervisor.DeployFailed, "3", "3")
	states("served serving failed")
	happens(supervisor.RolledBack, "1", "2")
	states("serving rolled back failed")
	if r, _ := h.Get(2); r.Digest != "sha256:2" || r.Cause != "why" {
		t.Errorf("%+v", r)
	}
}

func TestOutcomeOfADeploy(t *testing.T) {
	if o := outcome(fmt.Errorf("deploy: %w", supervisor.ErrRolledBack)); o != revisions.RolledBack {
		t.Error(o)
	}
	if o := outcome(supervisor.ErrSuperseded); o != revisions.Interrupted {
		t.Error(o)
	}
	if o := outcome(supervisor.ErrUnhealthy); o != revisions.Failed {
		t.Error(o)
	}
}
