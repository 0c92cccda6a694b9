package secrets

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// Watch tells when a file may be another one. It watches directories and not
// files: who writes a secret anew replaces the file, as a rule.
type Watch struct {
	watcher *fsnotify.Watcher
	files   []string
	dirs    map[string]bool
}

// OpenWatch begins to watch nothing. The caller owes a Close.
func OpenWatch() (*Watch, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch secrets: %w", err)
	}
	return &Watch{watcher: watcher, dirs: make(map[string]bool)}, nil
}

// Close ends the watch.
func (w *Watch) Close() error { return w.watcher.Close() }

// Set watches these files and no others. A directory that is not there is an
// error, and no reason to leave the others out; the next Set tries it again.
func (w *Watch) Set(paths []string) error {
	wanted := make(map[string]bool)
	for _, path := range paths {
		wanted[filepath.Dir(path)] = true
	}
	var errs []error
	for _, dir := range slices.Sorted(maps.Keys(wanted)) {
		// Also what is watched: the directory may have been replaced, and to watch
		// one twice is nothing (inotify(7)).
		if err := w.watcher.Add(dir); err != nil {
			errs = append(errs, fmt.Errorf("watch secrets in %s: %w", dir, err))
		}
	}
	for dir := range w.dirs {
		if !wanted[dir] {
			_ = w.watcher.Remove(dir) // it may be gone, and its watch with it
		}
	}
	w.dirs, w.files = wanted, paths
	return errors.Join(errs...)
}

// Events are what happens in the directories.
func (w *Watch) Events() <-chan fsnotify.Event { return w.watcher.Events }

// Concerns tells whether a file of ours may be another one after the event: not
// one beside it, and not one whose mode or times were set.
func (w *Watch) Concerns(e fsnotify.Event) bool {
	return e.Op != fsnotify.Chmod && slices.Contains(w.files, e.Name)
}

// Errors are those of the kernel, after which anything may have changed.
func (w *Watch) Errors() <-chan error { return w.watcher.Errors }
