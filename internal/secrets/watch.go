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
// files: who writes a secret anew replaces the file, as a rule, or the directory
// with it, which the directory above tells.
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
		dir := filepath.Dir(path)
		wanted[dir], wanted[filepath.Dir(dir)] = true, true
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

// Concerned are the files of ours that may be others after the event, which is of
// them or of their directory, or may be read now: a mode that was too open keeps a
// value out, and so does a directory.
func (w *Watch) Concerned(e fsnotify.Event) (paths []string) {
	name := filepath.Clean(e.Name) // beneath "/" it begins with "//"
	for _, path := range w.files {
		if path == name || filepath.Dir(path) == name {
			paths = append(paths, path)
		}
	}
	return paths
}

// Errors are those of the kernel, after which anything may have changed.
func (w *Watch) Errors() <-chan error { return w.watcher.Errors }
