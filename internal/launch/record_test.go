package launch

import (
	"encoding/json"
	"testing"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// What is killed by a record is one process: never all of them (-1), a group (0), or
// init; and it is the one that was written.
func FuzzProcessRecord(f *testing.F) {
	f.Add([]byte(`{"process":{"pid":-1}}`))
	f.Add([]byte(`{"process":{"pid":1}}{`))
	f.Add([]byte(`{"process":{"pid":12345,"start":67,"boot":"x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		identity, ok := parseRecord(text)
		if !ok {
			if identity != (runtime.Identity{}) {
				t.Errorf("half a record: %+v", identity)
			}
			return
		}
		if identity.Pid <= 1 {
			t.Errorf("pid %d", identity.Pid)
		}
		written, err := json.Marshal(record{identity})
		if again, ok := parseRecord(written); err != nil || !ok || again != identity {
			t.Errorf("%s is %+v, %v", written, again, err)
		}
	})
}
