package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The namespace has the ids, lets its processes have groups, which youki's own
// does not, and goes with its holder.
func TestHoldNamespace(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	ids := rangeIDs(t)
	n, err := HoldNamespace(context.Background(), helperOptions().Helper, ids)
	must(t, err)
	proc := filepath.Join("/proc", strconv.Itoa(n.Pid))
	must(t, provenMap(n.Pid, "uid_map", ids.UIDs), provenMap(n.Pid, "gid_map", ids.GIDs))
	if setgroups, err := os.ReadFile(filepath.Join(proc, "setgroups")); strings.TrimSpace(string(setgroups)) != "allow" {
		t.Errorf("setgroups %q, %v", setgroups, err)
	}
	must(t, n.Close(), n.Close())
	if err := unix.Kill(n.Pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("the holder is still there: %v", err)
	}
}

func TestHoldNamespaceThatCannotBe(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	ids := rangeIDs(t)
	if _, err := HoldNamespace(context.Background(), nil, ids); !errors.Is(err, errNoHelper) {
		t.Errorf("without a helper: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := HoldNamespace(ctx, helperOptions().Helper, ids); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ids.UIDs[1].Host += 1 << 20 // somebody else's
	if _, err := HoldNamespace(context.Background(), helperOptions().Helper, ids); !errors.Is(err, ErrNoRange) {
		t.Errorf("another's ids: %v", err)
	}
}
