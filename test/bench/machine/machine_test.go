package machine

import (
	"fmt"
	"testing"
)

func TestVersion(t *testing.T) {
	for says, want := range map[string]string{
		"systemd 252 (252.39-1~deb12u2)\n+PAM": "252", "youki version: 0.7.0\ncommit": "0.7.0", "gatewayd 1.2-dirty\n": "1.2-dirty",
		"gatewayd unknown\n": "unknown", "rsync  version 3.2.7  protocol version 31": "3.2.7", "cp (GNU coreutils) 9.1\n": "9.1",
	} {
		if got := version(t.Context(), []string{"printf", "%s", says}); got != want {
			t.Errorf("%q: %q, want %q", says, got, want)
		}
	}
	if got := version(t.Context(), []string{"/nowhere"}); got != "" {
		t.Errorf("of nobody: %q", got)
	}
}

func TestMachineIsOneLine(t *testing.T) {
	m := Machine{Processors: 2, Model: "CPU", Kernel: "6", System: "S", Programs: []Program{{Name: "a", Version: "1"}, {Name: "b"}}}
	if got := fmt.Sprint(m); got != "2 × CPU, Linux 6, S, a 1" {
		t.Errorf("machine: %s", got)
	}
	there := Describe(t.Context(), Program{Name: "a", Version: "1"}, Program{Name: "b", Argv: []string{"printf", "b 2"}})
	if there.Kernel == "" || there.Programs[0].Version != "1" || there.Programs[1].Version != "2" {
		t.Errorf("%+v", there)
	}
}
