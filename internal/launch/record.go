package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// record says which process a launch has, so that the next gatewayd can find it
// when this one is killed and there is no cgroup to find it by.
type record struct {
	Process runtime.Identity `json:"process"`
}

const recordName = "record.json"

func (la *launch) record() error {
	identity, err := runtime.Identify(la.process.Pid())
	if err != nil {
		return err
	}
	data, err := json.Marshal(record{Process: identity})
	if err != nil {
		return fmt.Errorf("record launch %s: %w", la.id, err)
	}
	// Not synced: it lies on a tmpfs, and is of use only while the kernel that
	// runs the process does.
	err = os.WriteFile(filepath.Join(la.dir, recordName), data, 0o600)
	step.Done("record-written")
	return err
}

// readRecord returns the process of the launch whose directory is dir, and
// false where none was recorded or the record was cut short.
func readRecord(dir string) (runtime.Identity, bool) {
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return runtime.Identity{}, false
	}
	return parseRecord(data)
}

func parseRecord(data []byte) (runtime.Identity, bool) {
	var r record
	if json.Unmarshal(data, &r) != nil || r.Process.Pid <= 1 {
		return runtime.Identity{}, false
	}
	return r.Process, true
}
