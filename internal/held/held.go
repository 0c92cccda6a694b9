package held

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Store is where holds are kept, a file each.
type Store struct {
	Dir  string // on the disk
	Keys string // in memory
}

// Hold is that of one gateway.
type Hold struct {
	Since time.Time `json:"since"`
	Cause string    `json:"cause,omitempty"` // what its last launch ended with; empty: success
	Print Print     `json:"print"`
}

// Print is what launches are made from. Each part is the same if and only if
// what it stands for is; an empty one stands for nothing.
type Print struct {
	Config string `json:"config"`
	Source string `json:"source,omitempty"`
	Values string `json:"values,omitempty"` // of Seal
}

const (
	maxFile  = 1 << 20 // bytes: the cause can be the words of a program
	maxCause = 4 << 10
	aside    = ".new" // no name of a gateway has a dot
)

// Read returns what is kept of a gateway. What is cut short, or no hold, is none.
func (s Store) Read(gateway string) (Hold, bool) {
	file, err := os.OpenFile(s.path(gateway), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Hold{}, false
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return Hold{}, false
	}
	return parse(text)
}

func parse(text []byte) (h Hold, ok bool) {
	if json.Unmarshal(text, &h) != nil || h.Since.IsZero() || h.Print.Config == "" {
		return Hold{}, false
	}
	return h, true
}

// Write keeps the hold of a gateway, or what was kept before.
func (s Store) Write(gateway string, h Hold) error {
	h.Cause = strings.ToValidUTF8(h.Cause[:min(len(h.Cause), maxCause)], "")
	text, err := json.Marshal(h)
	if err == nil {
		err = replace(s.path(gateway), text)
	}
	if err != nil {
		return fmt.Errorf("keep hold of %s: %w", gateway, err)
	}
	return nil
}

func replace(path string, text []byte) error {
	if err := os.WriteFile(path+aside, text, 0o600); err != nil {
		return err
	}
	step.Done("hold-aside")
	if err := os.Rename(path+aside, path); err != nil {
		return err
	}
	step.Done("hold-kept")
	return nil
}

// Remove forgets the hold of a gateway, if there is one.
func (s Store) Remove(gateway string) error {
	var errs []error
	for _, path := range []string{s.path(gateway), s.path(gateway) + aside, s.keyPath(gateway)} {
		err := os.Remove(path)
		if err == nil {
			step.Done("hold-forgotten")
		} else if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("forget hold of %s: %w", gateway, err)
	}
	return nil
}

// Keep forgets the holds of all other gateways.
func (s Store) Keep(gateways ...string) error {
	entries, err := os.ReadDir(s.Dir)
	errs := []error{err}
	for _, entry := range entries {
		if name := strings.TrimSuffix(entry.Name(), aside); !slices.Contains(gateways, name) {
			errs = append(errs, s.Remove(name))
		}
	}
	return errors.Join(errs...)
}

func (s Store) path(gateway string) string    { return filepath.Join(s.Dir, gateway) }
func (s Store) keyPath(gateway string) string { return filepath.Join(s.Keys, "held."+gateway) }
