package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// fake is a Daemon that records what it is asked and answers as told.
type fake struct {
	calls chan string
	err   error
	block chan struct{} // Restart returns when it is closed or its context ends
	ended chan error    // gets the error of that context
}

func (f *fake) Status(context.Context) Report {
	return Report{Version: "1.2.3", Pid: 42, Gateways: []Gateway{{Name: "web", Phase: "ready", Ready: true, Since: noon}}}
}

func (f *fake) call(s string) error { f.calls <- s; return f.err }

func (f *fake) Start(_ context.Context, name string) error { return f.call("start " + name) }
func (f *fake) Stop(_ context.Context, name string) error  { return f.call("stop " + name) }
func (f *fake) Reload(context.Context) error               { return f.call("reload") }
func (f *fake) Metrics(context.Context) (Text, error)      { return "up 1\n", f.call("metrics") }
func (f *fake) Reexec(context.Context) error               { return f.call("reexec") }

func (f *fake) Deploy(_ context.Context, name string, r DeployRequest) (Deployed, error) {
	canary := -1
	if r.Canary != nil {
		canary = *r.Canary
	}
	return Deployed{Revision: "7", Source: "/v2"}, f.call(fmt.Sprintf("deploy %s %q %q %d %s %v", name, r.Rootfs, r.Bundle, canary, time.Duration(r.CanaryFor), r.Wait))
}

func (f *fake) Rollback(_ context.Context, name string, r RollbackRequest) (Deployed, error) {
	return Deployed{Revision: "8"}, f.call(fmt.Sprintf("rollback %s %v", name, r.Wait))
}

func (f *fake) Verify(_ context.Context, name string) (Verification, error) {
	return Verification{Launch: 3, At: noon, Findings: []Finding{{"user", "1001", "0", true}}}, f.call("verify " + name)
}

func (f *fake) History(_ context.Context, name string) (History, error) {
	return History{Revisions: []Revision{{Revision: "1", When: noon, Why: "start", State: "serving", Source: "/v1"}}}, f.call("history " + name)
}

func (f *fake) Restart(ctx context.Context, name string) error {
	f.calls <- "restart " + name
	if f.block == nil {
		return f.err
	}
	select {
	case <-f.block:
		return f.err
	case <-ctx.Done():
		f.ended <- ctx.Err()
		return ctx.Err()
	}
}

func newFake() *fake { return &fake{calls: make(chan string, 10), ended: make(chan error, 1)} }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// serving runs a server and returns the path of its socket and what ends it.
func serving(t *testing.T, d Daemon, lim limits, allowed func(uint32) bool) (path string, end func() error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, d, nil, lim, allowed) }()
	t.Cleanup(cancel)
	return path, func() error { cancel(); return <-done }
}

func everybody(uint32) bool { return true }

func TestCalls(t *testing.T) {
	d := newFake()
	path, end := serving(t, d, defaultLimits(), ourselvesOrRoot)
	c, ctx := Dial(path), t.Context()
	report, err := c.Status(ctx)
	if err != nil || !reflect.DeepEqual(report, d.Status(ctx)) {
		t.Errorf("status: %+v, %v", report, err)
	}
	calls := []struct {
		want string
		do   func() error
	}{
		{"start web", func() error { return c.Start(ctx, "web") }},
		{"stop web-2", func() error { return c.Stop(ctx, "web-2") }},
		{"restart web", func() error { return c.Restart(ctx, "web") }},
		{"reload", func() error { return c.Reload(ctx) }},
		{"reexec", func() error { _, err := c.Reexec(ctx); return err }},
		{`deploy web "" "" -1 0s false`, func() error { return revision(c.Deploy(ctx, "web", DeployRequest{}))("7") }},
		{`deploy web "/v2" "" 0 1m30s true`, func() error {
			return revision(c.Deploy(ctx, "web", DeployRequest{Rootfs: "/v2", Canary: new(int), CanaryFor: Duration(90 * time.Second), Wait: true}))("7")
		}},
		{"rollback web true", func() error { return revision(c.Rollback(ctx, "web", RollbackRequest{Wait: true}))("8") }},
		{"history a/b ?", func() error {
			h, err := c.History(ctx, "a/b ?")
			if want, _ := d.History(ctx, "a/b ?"); <-d.calls == "" || !reflect.DeepEqual(h, want) {
				return fmt.Errorf("%+v", h)
			}
			return err
		}},
		{"metrics", func() error {
			text, err := c.Metrics(ctx)
			if text != "up 1\n" {
				return fmt.Errorf("%q: %w", text, err)
			}
			return err
		}},
		{"verify web", func() error {
			v, err := c.Verify(ctx, "web")
			if v.Launch != 3 || v.Differences() != 1 || !v.At.Equal(noon) {
				return fmt.Errorf("%+v", v)
			}
			return err
		}},
		{"start a/b ?", func() error { return c.Start(ctx, "a/b ?") }}, // no other route
	}
	for _, call := range calls {
		if err := call.do(); err != nil {
			t.Errorf("%s: %v", call.want, err)
		} else if got := <-d.calls; got != call.want {
			t.Errorf("asked for %q, the daemon heard %q", call.want, got)
		}
	}
	if err := end(); err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket after the end: %v", err)
	}
}

// revision compares an answer.
func revision(got Deployed, err error) func(want string) error {
	return func(want string) error {
		if err == nil && got.Revision != want {
			err = fmt.Errorf("answered %+v", got)
		}
		return err
	}
}

func TestErrorsTravel(t *testing.T) {
	tests := []struct {
		err  error
		want Error
	}{
		{&Error{CodeConfig, "gatewayd.toml:3:1: x"}, Error{CodeConfig, "gatewayd.toml:3:1: x"}},
		{&Error{CodeUnknownGateway, "no gateway web"}, Error{CodeUnknownGateway, "no gateway web"}},
		{fmt.Errorf("outer: %w", &Error{CodeConfig, "inner"}), Error{CodeConfig, "outer: inner"}},
		{&Error{CodeRolledBack, "launch 9: unhealthy"}, Error{CodeRolledBack, "launch 9: unhealthy"}},
		{errors.New("exit code 3"), Error{CodeFailed, "exit code 3"}},
	}
	for _, test := range tests {
		d := newFake()
		d.err = test.err
		path, _ := serving(t, d, defaultLimits(), everybody)
		var got *Error
		if err := Dial(path).Reload(t.Context()); !errors.As(err, &got) || *got != test.want {
			t.Errorf("%v arrives as %v", test.err, err)
		}
	}
}

// A call takes as long as it takes: the limits are about bytes on the wire.
func TestLongCall(t *testing.T) {
	d := newFake()
	d.block = make(chan struct{})
	lim := defaultLimits()
	lim.receive, lim.send, lim.idle = 20*time.Millisecond, 20*time.Millisecond, 20*time.Millisecond
	path, _ := serving(t, d, lim, everybody)
	done := make(chan error, 1)
	go func() { done <- Dial(path).Restart(context.Background(), "web") }()
	<-d.calls
	select {
	case err := <-d.ended:
		t.Errorf("cancelled: %v", err)
	case <-time.After(10 * lim.receive): // every limit is over
	}
	close(d.block)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestClientThatHangsUpCancelsItsCall(t *testing.T) {
	d := newFake()
	d.block = make(chan struct{})
	path, _ := serving(t, d, defaultLimits(), everybody)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Dial(path).Restart(ctx, "web") }()
	<-d.calls
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	if err := <-d.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("daemon: %v", err)
	}
}

func TestEndOfServingCancelsCalls(t *testing.T) {
	d := newFake()
	d.block = make(chan struct{})
	path, end := serving(t, d, defaultLimits(), everybody)
	done := make(chan error, 1)
	go func() { done <- Dial(path).Restart(t.Context(), "web") }()
	<-d.calls
	if err := end(); err != nil {
		t.Errorf("serve: %v", err)
	}
	var answer *Error
	if err := <-done; !errors.As(err, &answer) || answer.Code != CodeFailed {
		t.Errorf("client: %v", err)
	}
}

// The names in the JSON are what other programs read: this list only grows.
func TestReportKeepsItsNames(t *testing.T) {
	all := Gateway{Name: "n", Phase: "p", Since: noon, Ready: true, Launch: 1, Restarts: 1, Failures: 1, ID: "i", Pid: 1,
		Cause: "c", CauseAt: noon, Next: noon, ProbeError: "p", Runtime: "r", RuntimeVersion: "v", RuntimePath: "/r", RuntimeChanged: "g",
		Posture: "p", VerifiedAt: noon, Differs: []Finding{{"w", "p", "f", true}}, Unseen: []string{"u"}, Bare: true, Revision: "r", Leftovers: []string{"l"},
		Stage: "s", StageReason: "r", Digest: "d", IDs: "i", SourceChanged: "c",
		Listens: []Port{{"n", "a", "m", "k", "w", "e", "t", 1, 2, 3, 7, 4, 5, 6}}, Standby: &Standby{"k", "w", 1, "s", noon, "e", noon},
		Deploy: &Deploy{"r", 1, "s", 2, noon}, Draining: []Drain{{1, 2, true, noon}}, Drained: &Drained{1, 2, noon},
		Override: "o", Provisional: noon, Previous: "p", RolledBack: "r", RolledBackAt: noon}
	if v := reflect.ValueOf(all); true {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s is not in this test", v.Type().Field(i).Name)
			}
		}
	}
	got, err := json.Marshal(Report{Version: "1", Pid: 2, Gateways: []Gateway{all}, Leftovers: []string{"l"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":"1","pid":2,"gateways":[{"name":"n","phase":"p","since":"2026-11-23T12:00:00Z","ready":true,"launch":1,"restarts":1,"failures":1,"id":"i","pid":1,` +
		`"cause":"c","cause_at":"2026-11-23T12:00:00Z","next":"2026-11-23T12:00:00Z","probe_error":"p","runtime":"r","runtime_version":"v","runtime_path":"/r","runtime_changed":"g","posture":"p","verified_at":"2026-11-23T12:00:00Z","differs":[{"what":"w","promised":"p","found":"f","differs":true}],"unseen":["u"],"bare":true,"revision":"r","leftovers":["l"],` +
		`"stage":"s","stage_reason":"r","digest":"d","ids":"i","source_changed":"c",` +
		`"listens":[{"name":"n","address":"a","mode":"m","kind":"k","why":"w","error":"e","trouble":"t","slot":1,"waiting":2,"in_flight":3,"limit":7,"rescued":4,"accepted":5,"refused":6}],` +
		`"standby":{"kind":"k","why":"w","launch":1,"state":"s","since":"2026-11-23T12:00:00Z","error":"e","next":"2026-11-23T12:00:00Z"},` +
		`"deploy":{"revision":"r","launch":1,"stage":"s","canary":2,"until":"2026-11-23T12:00:00Z"},` +
		`"draining":[{"launch":1,"in_flight":2,"asked":true,"until":"2026-11-23T12:00:00Z"}],"drained":{"launch":1,"cut":2,"at":"2026-11-23T12:00:00Z"},` +
		`"override":"o","provisional_until":"2026-11-23T12:00:00Z","previous":"p","rolled_back":"r","rolled_back_at":"2026-11-23T12:00:00Z"}],"leftovers":["l"]}`
	if string(got) != want {
		t.Errorf("report:\n%s\nwant:\n%s", got, want)
	}
}

func TestServeSaysWhyItEnds(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, newFake(), nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("on a closed listener: %v", err)
	}
}
