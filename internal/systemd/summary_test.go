package systemd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	noon       = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	errRefused = errors.New("GET http://127.0.0.1:8090/healthz: connection refused")
	errCode1   = errors.New("exit code 1")
)

func ready(name string) GatewayState { return GatewayState{Name: name, Phase: "ready", Settled: true} }

func TestSummarize(t *testing.T) {
	starting := GatewayState{Name: "web", Phase: "starting", ProbeError: errRefused, StartDeadline: noon}
	late := starting
	late.Settled = true
	late.Cause = errCode1 // of the launch before: what is wrong now counts
	again := GatewayState{Name: "api", Phase: "backoff", Cause: errCode1, Next: noon.Add(time.Second)}
	looping := GatewayState{Name: "api", Phase: "crash-looping", Settled: true, Cause: errCode1, Next: noon, Failures: 4}
	failed := GatewayState{Name: "llm", Phase: "failed", Settled: true, Cause: errors.New("source is missing: /usr/lib/llm")}
	held := GatewayState{Name: "llm", Phase: "held", Settled: true, Cause: errors.New("exited with code 78")}
	success := GatewayState{Name: "job", Phase: "ended", Settled: true}
	ended := GatewayState{Name: "job", Phase: "ended", Settled: true, Cause: errCode1}
	stopped := GatewayState{Name: "old", Phase: "stopped", Settled: true}
	for _, test := range []struct {
		name     string
		gateways []GatewayState
		verdict  Verdict
		status   string
		err      string
	}{
		{"none configured", nil, AllReady, "no gateway is configured", ""},
		{"all ready", []GatewayState{ready("a"), ready("b")}, AllReady, "2 of 2 ready", ""},
		{"one is waited for", []GatewayState{ready("a"), starting}, Waiting, "waiting for web (probe: GET http://127.0.0.1:8090/healthz: connection refused; until 12:00:00); 1 of 2 ready", ""},
		{"two are waited for", []GatewayState{again, {Name: "web", Phase: "starting"}}, Waiting, "waiting for api (exit code 1; next launch at 12:00:01), web; 0 of 2 ready", ""},
		{"one has failed, one is waited for", []GatewayState{failed, starting}, Waiting, "waiting for web (probe: GET http://127.0.0.1:8090/healthz: connection refused; until 12:00:00); llm failed (source is missing: /usr/lib/llm); 0 of 2 ready", ""},
		{"one is dead", []GatewayState{ready("a"), failed}, Degraded, "1 of 2 ready; llm failed (source is missing: /usr/lib/llm)", ""},
		{"crash loop", []GatewayState{ready("a"), looping}, Degraded, "1 of 2 ready; api crash-looping (4 failures; exit code 1; next launch at 12:00:00)", ""},
		{"start timeout used up", []GatewayState{ready("a"), late}, Degraded, "1 of 2 ready; web still starting (probe: GET http://127.0.0.1:8090/healthz: connection refused; until 12:00:00)", ""},
		{"none", []GatewayState{failed, looping, late}, NoneReady, "0 of 3 ready; llm failed (source is missing: /usr/lib/llm), api crash-looping (4 failures; exit code 1; next launch at 12:00:00), " +
			"web still starting (probe: GET http://127.0.0.1:8090/healthz: connection refused; until 12:00:00)",
			"llm: source is missing: /usr/lib/llm\napi: exit code 1\nweb: GET http://127.0.0.1:8090/healthz: connection refused"},
		{"stopped on request", []GatewayState{stopped}, AllReady, "0 of 1 ready; stopped on request: old", ""},
		{"stopped, and one dead", []GatewayState{stopped, failed}, Degraded, "0 of 2 ready; llm failed (source is missing: /usr/lib/llm); stopped on request: old", ""},
		{"all ended", []GatewayState{success, success}, AllReady, "every gateway has ended by its own policy: job ended (success), job ended (success)", ""},
		{"all ended, one badly", []GatewayState{success, ended}, Degraded, "every gateway has ended by its own policy: job ended (success), job ended (exit code 1)", ""},
		{"ended badly", []GatewayState{ended}, Degraded, "every gateway has ended by its own policy: job ended (exit code 1)", ""},
		{"ended badly, beside one that failed", []GatewayState{ended, {Name: "b", Phase: "failed", Settled: true}}, Degraded, "0 of 2 ready; b failed; job ended (exit code 1)", ""},
		{"held", []GatewayState{held}, Degraded, "0 of 1 ready; llm held (exited with code 78)", ""},
		{"held, beside one that failed", []GatewayState{held, failed}, Degraded, "0 of 2 ready; llm held (exited with code 78), llm failed (source is missing: /usr/lib/llm)", ""},
		{"being stopped", []GatewayState{ready("a"), {Name: "b", Phase: "stopping", Settled: true}}, Degraded, "1 of 2 ready; b stopping", ""},
		{"failed, nobody knows why", []GatewayState{{Name: "b", Phase: "failed", Settled: true}}, NoneReady, "0 of 1 ready; b failed", "b: failed"},
		{"deployed, beside one that is dead", []GatewayState{{Name: "a", Phase: "ready", Settled: true, Deploying: true}, failed}, Degraded, "1 of 2 ready; llm failed (source is missing: /usr/lib/llm); deploying a", ""},
		{"ready before it is settled", []GatewayState{{Name: "a", Phase: "ready"}}, AllReady, "1 of 1 ready", ""},
	} {
		s := Summarize(test.gateways)
		err := ""
		if s.Err != nil {
			err = s.Err.Error()
		}
		if s.Verdict != test.verdict || s.Total != len(test.gateways) {
			t.Errorf("%s: verdict %d of %d", test.name, s.Verdict, s.Total)
		}
		if diff := cmp.Diff(test.status, s.Status) + cmp.Diff(test.err, err); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestSummarizeErrIsTheCauses(t *testing.T) {
	s := Summarize([]GatewayState{{Name: "a", Phase: "failed", Settled: true, Cause: errCode1}})
	if !errors.Is(s.Err, errCode1) {
		t.Error(s.Err)
	}
}

func TestSummarizeUntil(t *testing.T) {
	s := Summarize([]GatewayState{
		{Name: "a", Phase: "starting", StartDeadline: noon},
		{Name: "b", Phase: "backoff", Next: noon.Add(time.Minute)},
		{Name: "c", Phase: "starting", Settled: true, StartDeadline: noon.Add(time.Hour)}, // not waited for
		{Name: "d", Phase: "starting"},
	})
	if !s.Until.Equal(noon.Add(time.Minute)) {
		t.Error(s.Until)
	}
	if s := Summarize([]GatewayState{ready("a")}); !s.Until.IsZero() {
		t.Error(s.Until)
	}
}

// The status is one line of bounded length, whatever gateways say.
func TestSummarizeHostileWords(t *testing.T) {
	var gateways []GatewayState
	for i := range 30 {
		gateways = append(gateways, GatewayState{Name: fmt.Sprint("g", i), Phase: "starting", ProbeError: errors.New(strings.Repeat("\x1b[2J\nREADY=1\n", 1000))})
	}
	s := Summarize(gateways)
	if len(s.Status) > maxStatus || strings.ContainsAny(s.Status, "\n\x1b") || !strings.Contains(s.Status, "g0") || !strings.Contains(s.Status, "g3") {
		t.Errorf("%d bytes: %q", len(s.Status), s.Status)
	}
}
