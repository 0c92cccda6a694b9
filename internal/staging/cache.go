package staging

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// keepCache is how long the cache of a tree is kept that nobody stages any more:
// longer than a gateway is stopped for.
const keepCache = 90 * 24 * time.Hour

// touch notes that a cache is in use, once a day at most.
func touch(path string, now time.Time) {
	if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(path, now, now) // else it is made anew some day
	}
}

// Prune removes the caches in dir of trees that have not been staged for 90 days,
// and those that a kill has left half written. Nobody may be staging meanwhile.
func Prune(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && (now.Sub(info.ModTime()) > keepCache || bundle.HalfWritten(entry.Name())) {
			errs = append(errs, os.Remove(filepath.Join(dir, entry.Name())))
			step.Done("digests-pruned")
		}
	}
	return errors.Join(errs...)
}
