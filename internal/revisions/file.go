package revisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gatewayd/gatewayd/internal/step"
)

const (
	format  = 1
	maxFile = 16 << 20 // bytes: far above what twenty large tables need
)

// Open reads the history of a gateway. It is of use in any case: the error says
// what was wrong with the file, and then the history begins anew.
func Open(dir, gateway string) (*History, error) {
	h := &History{path: filepath.Join(dir, gateway+".json")}
	_ = os.Remove(aside(h.path)) // what a kill has left; should it stay, the next Save tells
	err := h.load()
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		h.interrupt()
		return h, nil
	case errors.Is(err, errDamaged):
		err = errors.Join(err, os.Rename(h.path, h.path+".damaged"))
		step.Done("damaged-history-set-aside")
		return h, fmt.Errorf("read history of %s, which begins anew (the file is put aside as %s.damaged): %w", gateway, h.path, err)
	}
	return h, fmt.Errorf("read history of %s, which begins anew: %w", gateway, err)
}

// errDamaged is about what is in the file, not about reading it.
var errDamaged = errors.New("the file is damaged")

func (h *History) load() error {
	file, err := os.Open(h.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return err
	}
	h.kept, err = parse(text)
	return err
}

func parse(text []byte) (k kept, err error) {
	if err = json.Unmarshal(text, &k); err == nil {
		err = k.check()
	}
	if err != nil {
		return kept{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return k, nil
}

// check finds what would make a number ambiguous, or a revision unusable.
func (k kept) check() error {
	if k.Format != format {
		return fmt.Errorf("format %d, want %d", k.Format, format)
	}
	last := 0
	for _, r := range k.Revisions {
		if r.Number <= last {
			return fmt.Errorf("revision %d comes after revision %d", r.Number, last)
		}
		if !isObject(r.Deployed) || r.File != nil && !isObject(r.File) {
			return fmt.Errorf("revision %d has no gateway", r.Number)
		}
		last = r.Number
	}
	if k.Last < last || k.Last == math.MaxInt || k.Serving < 0 || k.Serving > k.Last {
		return fmt.Errorf("revision %d serves, %d is the last, and %d is there", k.Serving, k.Last, last)
	}
	return nil
}

func isObject(text json.RawMessage) bool { return len(text) > 0 && text[0] == '{' }

// Save writes what has changed since the last Save.
func (h *History) Save() error {
	h.saving.Lock()
	defer h.saving.Unlock()
	if h.removed {
		return nil
	}
	h.mu.Lock()
	h.kept.Format = format
	text, err := h.kept.text()
	changed := h.changed
	h.changed = false
	h.mu.Unlock()
	if err == nil && changed {
		err = replace(h.path, text)
	}
	if err != nil {
		h.mu.Lock()
		h.changed = true // the next Save tries again
		h.mu.Unlock()
		return fmt.Errorf("keep history %s: %w", h.path, err)
	}
	return nil
}

func (k kept) text() ([]byte, error) { return json.MarshalIndent(k, "", " ") }

// Remove deletes the file, and nothing is written any more: another gateway of
// this name begins anew, and does not run what was deployed to this one.
func (h *History) Remove() error {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.removed = true
	if err := os.Remove(h.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove history: %w", err)
	}
	step.Done("history-removed")
	return nil
}

// aside is where a file is written that is to take the place of another. The name
// is the same each time, so that what a kill leaves there is found.
func aside(path string) string { return path + ".new" }

// replace leaves the old file or the new one, whole, whatever happens meanwhile.
func replace(path string, text []byte) error {
	if err := write(aside(path), text); err != nil {
		return errors.Join(err, discard(aside(path)))
	}
	step.Done("history-aside")
	if err := os.Rename(aside(path), path); err != nil {
		return errors.Join(err, discard(aside(path)))
	}
	step.Done("history-kept")
	return syncDir(filepath.Dir(path))
}

func write(path string, text []byte) error {
	if err := discard(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func discard(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
