package launch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// While the journal may not know how a launch has ended, there is what the next
// gatewayd's sweep tells of it by.
func TestTheJournalKnowsBeforeTheDirectoryGoes(t *testing.T) {
	b := fakeBench(t)
	r := b.start(b.gateway("exit 0"))
	r.exit()
	dir, told := filepath.Join(b.Dirs.Launches(), r.id()), 0
	b.Flush = func(context.Context) {
		told++
		if _, err := os.Lstat(dir); err != nil {
			t.Errorf("what the launch is known by is gone: %v", err)
		}
	}
	r.clean()
	if _, err := os.Lstat(dir); !os.IsNotExist(err) || told != 1 {
		t.Errorf("told %d times; then the directory: %v", told, err)
	}
}
