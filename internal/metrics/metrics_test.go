package metrics

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

var update = flag.Bool("update", false, "accept the metrics as they are now")

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// goroutines are as many as the tests have.
var goroutines = regexp.MustCompile(`(?m)^go_goroutines [1-9]\d*$`)

func example() *Metrics {
	m := New("1.2.3", func() []supervisor.Status {
		return []supervisor.Status{
			{
				Name: "web", Phase: supervisor.Ready, Since: began, Launch: 7, Restarts: 3, Failures: 1, Provisional: began,
				Standby: &supervisor.StandbyStatus{Launch: 8, State: "frozen"}, Deploying: &supervisor.DeployStatus{},
				Draining: []supervisor.DrainStatus{{}, {}}, Leftovers: []error{nil},
			},
			{Name: "llm", Phase: supervisor.Held, Since: began, Standby: &supervisor.StandbyStatus{State: "absent"}},
		}
	})
	for _, kind := range []supervisor.EventKind{supervisor.LaunchReady, supervisor.LaunchReady, supervisor.TookOver} {
		m.Observe(supervisor.Event{Gateway: "web", Kind: kind})
	}
	m.Observe(supervisor.Event{Gateway: "llm", Kind: supervisor.GatewayHeld})
	m.Observe(supervisor.Event{Gateway: "gone", Kind: supervisor.GatewayStopped})
	m.Forget("gone")
	return m
}

func TestText(t *testing.T) {
	const golden = "testdata/metrics.golden"
	got := goroutines.ReplaceAllString(example().Text(), "go_goroutines 7")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got), -update accepts:\n%s", diff)
	}
}

// The client library of Prometheus reads what is written, and has nothing to object.
func TestPrometheusReadsIt(t *testing.T) {
	m := New("a\\b\"c\nd", func() []supervisor.Status { return []supervisor.Status{{Name: "web", Phase: supervisor.Ready}} })
	for _, text := range []string{example().Text(), m.Text(), New("1", func() []supervisor.Status { return nil }).Text()} {
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v:\n%s", problems, err, text)
		}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	read, err := parser.TextToMetricFamilies(strings.NewReader(m.Text()))
	if err != nil {
		t.Fatal(err)
	}
	if version := read["gatewayd_build_info"].Metric[0].Label[0].GetValue(); version != "a\\b\"c\nd" {
		t.Errorf("version %q", version)
	}
}

// The manual has a row for each metric of ours, and for no other.
func TestManualNamesEveryMetric(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(form, text string) map[string]bool {
		found := map[string]bool{}
		for _, match := range regexp.MustCompile(form).FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
		return found
	}
	has := names(`(?m)^# TYPE (\w+) `, example().Text())
	if diff := cmp.Diff(has, names("(?m)^\\| `((?:gatewayd|go)_\\w+)", string(manual))); diff != "" {
		t.Errorf("(-metrics +manual)\n%s", diff)
	}
}
