package control

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
)

var update = flag.Bool("update", false, "accept what is written as right")

func TestWriteTable(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	writes(t, "testdata/table.txt", Report{Version: "1.2.3", Pid: 42, Gateways: []Gateway{
		{Name: "api", Phase: "ready", Ready: true, Since: noon.Add(-26 * time.Hour), Launch: 1, ID: "api-1-k2x9q7ab", Pid: 4711,
			Runtime: "youki", RuntimeVersion: "0.7.0", Posture: "container", Stage: "overlay", IDs: "single", Digest: digest},
		{Name: "ended", Phase: "ended", Since: noon.Add(-61 * time.Minute), Launch: 2, Restarts: 1, CauseAt: noon.Add(-61 * time.Minute), Runtime: "youki", RuntimeVersion: "0.7.0"},
		{Name: "hostile", Phase: "crash-looping", Since: noon.Add(-1500 * time.Millisecond), Launch: 17, Restarts: 16, Failures: 9,
			Cause: "create container: \x1b[2J\x1b]0;owned\a\ttab\nnext line \u202egnp.exe \x85 \xff done, with much more text", CauseAt: noon.Add(-1500 * time.Millisecond),
			Next: noon.Add(8200 * time.Millisecond), ProbeError: "get http://127.0.0.1:8090/healthz: connection refused",
			Runtime: "youki", RuntimeVersion: "0.7.0", Leftovers: []string{"/run/gatewayd/launches/hostile-16-x: busy"}},
		{Name: "new", Phase: "starting", Since: noon.Add(-40 * time.Millisecond), Launch: 1},
		{Name: "plain", Phase: "ready", Ready: true, Since: noon.Add(-200 * time.Second), Launch: 3, Restarts: 2, Pid: 5, Cause: "signal: killed", CauseAt: noon, Posture: "bare", Bare: true},
	}})
}

// What is told of the source: also of paths that somebody chose with care.
func TestWriteTableOfStaging(t *testing.T) {
	staged := func(name, stage, reason, digest, ids, changed string) Gateway {
		return Gateway{Name: name, Phase: "ready", Ready: true, Since: noon, Launch: 1, Stage: stage, StageReason: reason, Digest: digest, IDs: ids, SourceChanged: changed}
	}
	writes(t, "testdata/staging.txt", Report{
		Gateways: []Gateway{
			staged("asked", "copy", "", "sha256:01", "single", ""),
			staged("changed", "overlay", "", "sha256:02", "single", "etc/\x1b[2Jweb.conf"),
			staged("never", "overlay", "", "", "single", ""),
			staged("owners", "copy", "etc/\x1b]0;owned\a belongs to 0:0", "sha256:03", "range", ""),
			staged("ranged", "overlay", "the reason", "", "range", ""),
		},
		Leftovers: []string{"remove /run/gatewayd/launches/web-3-x/root/\nforged: operation not permitted", "remove /var/lib/x: busy"},
	})
}

// What is told of connections and deploys, hostile words included.
func TestWriteTableOfTraffic(t *testing.T) {
	soon, ago := noon.Add(20*time.Second), noon.Add(-3*time.Minute)
	ready := func(name string, g Gateway) Gateway {
		g.Name, g.Phase, g.Ready, g.Since, g.Launch, g.Revision = name, "ready", true, noon, 9, "4"
		return g
	}
	writes(t, "testdata/traffic.txt", Report{Gateways: []Gateway{
		ready("plain", Gateway{
			Listens: []Port{{Name: "http", Address: "127.0.0.1:8090", Mode: "inherit", Kind: "slots", Slot: 3}},
			Standby: &Standby{Kind: "warm", Launch: 10, State: "frozen", Since: ago, Next: soon},
		}),
		ready("busy", Gateway{
			Listens: []Port{
				{Name: "http", Address: "127.0.0.1:8090", Mode: "inherit", Kind: "slots", Slot: 0, InFlight: 12, Waiting: 3, Rescued: 7, Trouble: "it is taken by \x1b[2J"},
				{Name: "api", Address: "127.0.0.1:8091", Mode: "proxy", Kind: "shared", Why: "gatewayd accepts by itself", Slot: -1, InFlight: 1, Limit: 200, Refused: 2},
				{Name: "admin", Address: "unix:/run/x\x1b[2J", Mode: "inherit", Kind: "shared", Why: "a unix socket has no slots: \x1b[2J", InFlight: -1},
				{Name: "tls", Address: "127.0.0.1:8443", Mode: "inherit", Slot: -1, Error: "listen on 127.0.0.1:8443: nginx (pid 7) has it"},
			},
			Standby:     &Standby{Kind: "created", Why: "there is no cgroup", State: "absent", Error: "exited with code 1\x1b[2J", Next: soon},
			Deploy:      &Deploy{Revision: "5", Launch: 11, Stage: "canary", Canary: 10, Until: soon},
			Draining:    []Drain{{Launch: 7, InFlight: 1, Until: soon}, {Launch: 8, InFlight: -1, Until: soon}, {Launch: 5, Asked: true, Until: soon}},
			Drained:     &Drained{Launch: 6, Cut: 2, At: ago},
			Override:    "it came by rollback to 3",
			Provisional: soon, Previous: "3", RolledBack: "crash loop: \x1b[2J", RolledBackAt: ago,
		}),
		ready("deploying", Gateway{Standby: &Standby{Kind: "created", Launch: 10, State: "preparing", Since: ago, Next: soon}, Deploy: &Deploy{Revision: "5", Launch: 11, Stage: "preparing"}, Drained: &Drained{Launch: 6, At: ago}}),
		ready("probing", Gateway{Deploy: &Deploy{Revision: "5", Launch: 11, Stage: "starting"}}),
		ready("waiting", Gateway{Deploy: &Deploy{Revision: "5", Stage: "waiting"}}),
	}})
}

func TestWriteTableOfIsolation(t *testing.T) {
	writes(t, "testdata/isolation.txt", Report{Gateways: []Gateway{
		{Name: "differs", Phase: "ready", Ready: true, Launch: 1, Posture: "uid=1001", Differs: []Finding{{"no_new_privs", "1", "0\x1b[2J", true}}},
		{Name: "verified", Phase: "ready", Ready: true, Launch: 1, Posture: "uid=1001", VerifiedAt: noon.Add(-3 * time.Minute), Unseen: []string{"seccomp filters: \x1b[2J"}},
	}})
}

func TestWriteVerification(t *testing.T) {
	var got bytes.Buffer
	err := WriteVerification(&got, Verification{Launch: 3, Findings: []Finding{
		{"uid map", "0→1001+1", "0→1001+1", false},
		{"executable", `"/gateway"`, "\x1b[2J", true},
	}, Unseen: []string{"open files: \x1b[2J"}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/verification.txt", got.String())
}

func TestWriteHistory(t *testing.T) {
	var got bytes.Buffer
	err := WriteHistory(&got, History{Revisions: []Revision{
		{Revision: "1", When: noon.Add(-time.Hour), Why: "start", State: "served", Source: "/srv/web-1", Digest: "sha256:" + strings.Repeat("0a", 32)},
		{Revision: "2", When: noon.Add(-time.Minute), Why: "deploy", State: "rolled back", Cause: "launch 3: \x1b[2J", Source: "/srv/\x1b[2J"},
		{Revision: "3", When: noon, Why: "rollback to 1", State: "serving", Source: "/srv/web-1", Digest: "sha256:0a"},
	}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/history.txt", got.String())
}

// writes compares what a terminal gets of r with a golden file.
func writes(t *testing.T, path string, r Report) {
	t.Helper()
	var got bytes.Buffer
	if err := WriteTable(&got, r, noon); err != nil {
		t.Fatal(err)
	}
	for _, c := range got.String() {
		if c != '\n' && !unicode.IsGraphic(c) {
			t.Errorf("%U reaches the terminal", c)
		}
	}
	golden(t, path, got.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant, or -update:\n%s", got, want)
	}
}

func TestWriteTableReportsItsWriter(t *testing.T) {
	if err := WriteTable(broken{}, Report{}, noon); !errors.Is(err, os.ErrClosed) {
		t.Errorf("says: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestSince(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1500 * time.Microsecond: "2ms", 1240 * time.Millisecond: "1.2s",
		61 * time.Second: "1m1s", 3601 * time.Second: "1h0m", 49 * time.Hour: "2d1h",
	} {
		if got := since(noon, noon.Add(d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestReady(t *testing.T) {
	for want, gateways := range map[bool][]Gateway{true: {{Ready: true}, {Ready: true}}, false: {{Ready: true}, {}}} {
		if got := (Report{Gateways: gateways}).Ready(); got != want {
			t.Errorf("%+v: %v", gateways, got)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2Jb\u202e\xff\uFFFD\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) && r != unicode.ReplacementChar }) {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}
