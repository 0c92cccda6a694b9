package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// record is one of the journal.
type record map[string]any

func (r record) field(name string) string {
	text, _ := r[name].(string)
	return text
}

// message is MESSAGE=; journalctl shows one that is not text as numbers.
func (r record) message() string {
	numbers, binary := r["MESSAGE"].([]any)
	if !binary {
		return r.field("MESSAGE")
	}
	bytes := make([]byte, len(numbers))
	for i, n := range numbers {
		bytes[i] = byte(n.(float64))
	}
	return string(bytes)
}

// records are those of the unit's processes and of systemd about the unit, that
// match all fields, such as "GATEWAY=web", oldest first.
func (i *instance) records(match ...string) []record {
	i.t.Helper()
	// Since: the unit of an earlier run on the same host had the same name.
	since := fmt.Sprintf("--since=@%.6f", float64(i.began.UnixMicro())/1e6)
	args := append(i.journalOf(match...), since, "--output=json", "--all", "--no-pager")
	out, err := exec.Command("journalctl", args...).Output()
	if err != nil {
		i.t.Fatalf("journalctl: %v", err)
	}
	var list []record
	for line := range strings.Lines(string(out)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			i.t.Fatalf("journalctl says %q: %v", line, err)
		}
		list = append(list, r)
	}
	return list
}

// journalOf are the arguments by which journalctl finds the records of the unit's
// processes, and of systemd about the unit, that match all fields.
func (i *instance) journalOf(match ...string) (args []string) {
	if i.manager[0] == "--user" {
		args = append(args, "--user")
	}
	args = append(append(args, "_SYSTEMD_"+i.unitField()+"="+i.unit), match...)
	args = append(append(args, "+", i.unitField()+"="+i.unit), match...)
	return append(append(args, "+", "OBJECT_SYSTEMD_UNIT="+i.unit), match...)
}

// awaitRecord waits for a record, since journald writes when it has the time.
func (i *instance) awaitRecord(what string, is func(record) bool, match ...string) (found record) {
	i.t.Helper()
	eventually(i.t, "record of "+what, func() error {
		all := i.records(match...)
		for _, r := range all {
			if is(r) {
				found = r
				return nil
			}
		}
		return fmt.Errorf("not among %d records", len(all))
	})
	return found
}

func contains(text, want string) error {
	if !strings.Contains(text, want) {
		return fmt.Errorf("%q is not in %q", want, text)
	}
	return nil
}

func wantFields(t testing.TB, r record, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := r.field(name); got != value {
			t.Errorf("%s=%q, not %q, in %v", name, got, value, r)
		}
	}
}
