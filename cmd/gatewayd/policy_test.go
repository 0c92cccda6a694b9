package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// A rule of the file is the supervisor's, word for word.
func TestRulesOfTheFile(t *testing.T) {
	c, err := config.Parse("test", []byte(`
[gateway.web]
bundle = "/b"
[[gateway.web.restart.on]]
exit = [3, "64-77"]
signal = ["SIGSEGV"]
cause = ["oom", "unready", "unhealthy"]
delay = "1s"
factor = 3
max_delay = "2s"
count = false
[[gateway.web.restart.on]]
exit = [4]
action = "stop"
[[gateway.web.restart.on]]
exit = [5]
action = "hold"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []supervisor.RestartRule{
		{
			Codes: []supervisor.ExitCodes{{First: 3, Last: 3}, {First: 64, Last: 77}}, Signals: []syscall.Signal{syscall.SIGSEGV},
			Causes: []supervisor.CauseKind{supervisor.CauseOOM, supervisor.CauseUnready, supervisor.CauseUnhealthy},
			Action: supervisor.ActionRestart, Delay: time.Second, Factor: 3, MaxDelay: 2 * time.Second, Uncounted: true,
		},
		{Codes: []supervisor.ExitCodes{{First: 4, Last: 4}}, Action: supervisor.ActionStop},
		{Codes: []supervisor.ExitCodes{{First: 5, Last: 5}}, Action: supervisor.ActionHold},
	}
	if diff := cmp.Diff(want, restartRules(c.Gateways[0].Restart.On)); diff != "" {
		t.Error(diff)
	}
}

// The manual has a row for each rule that is built in, with what it says.
func TestManualTellsTheBuiltInRules(t *testing.T) {
	manual, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range supervisor.BuiltInRules() {
		says := []string{"the gateway is held"}
		if r.Action == supervisor.ActionRestart {
			says = []string{fmt.Sprintf("`%v`", r.Delay), fmt.Sprintf("×%v", r.Factor), "`" + strings.TrimSuffix(r.MaxDelay.String(), "0s") + "`", "not counted"}
		}
		for _, codes := range r.Codes {
			_, row, _ := strings.Cut(string(manual), fmt.Sprintf("\n| %d | ", codes.First))
			row, _, _ = strings.Cut(row, "\n")
			for _, word := range says {
				if !strings.Contains(row, word) {
					t.Errorf("the row of exit code %d does not say %q: %s", codes.First, word, row)
				}
			}
		}
	}
}
