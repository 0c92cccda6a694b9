package journal

import (
	"regexp"
	"testing"
)

// Whatever a gateway says and a log field is called, journald reads what was meant
// and no field more, and does not drop the record for a name.
func FuzzRecord(f *testing.F) {
	f.Add("plain", "gateway", "web")
	f.Add("x\nPRIORITY=0\nGATEWAY=forged", "_PID", "\n")
	form := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	f.Fuzz(func(t *testing.T, message, key, value string) {
		name := fieldName(key)
		if !form.MatchString(name) || fieldName(name) != name || name == "MESSAGE" || name == "PRIORITY" {
			t.Fatalf("%q is called %q", key, name)
		}
		got := decode(t, appendRecord(nil, Record{Message: []byte(message), Fields: []Field{{name, value}}}))
		if len(got) != 3 || got["MESSAGE"] != message || got[name] != value || got["PRIORITY"] != "0" {
			t.Errorf("%q", got)
		}
	})
}
