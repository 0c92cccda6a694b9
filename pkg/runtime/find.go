package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Binary is a runtime program that Find has looked at. It holds a copy of it in
// memory until Open takes that over; without Open, until the process ends.
type Binary struct {
	Name    string // "youki", "crun" or "runc", as it calls itself
	Path    string // absolute
	Version string // such as "0.7.0"
	Why     string // one sentence: how it was chosen

	sealed *sealed // what Find looked at
}

// NoRuntimeError lists every place where Find looked. It is an ErrNoRuntime.
type NoRuntimeError struct {
	Want  string
	Tried []error // one for each place, with its path
}

func (e *NoRuntimeError) Error() string {
	places := make([]string, len(e.Tried))
	for i, err := range e.Tried {
		places[i] = err.Error()
	}
	return fmt.Sprintf("find runtime %s: %v: %s", e.Want, ErrNoRuntime, strings.Join(places, "; "))
}

// Unwrap returns what was wrong at each place.
func (e *NoRuntimeError) Unwrap() []error { return e.Tried }

// Is makes the error an ErrNoRuntime.
func (e *NoRuntimeError) Is(target error) bool { return target == ErrNoRuntime }

// Find chooses the runtime: want is "auto" (youki, then crun, then runc), one
// of these names, or an absolute path.
//
// youkiPlaces are the absolute paths at which youki may lie, in order; the
// element "youki" stands for the directories of Path, which otherwise come
// last. crun and runc are looked for in the directories of Path only.
//
// Where this process or the machine is short of something, such as descriptors or
// processes, nothing is known of a candidate: then no other one is taken in its
// place, and the error is not an ErrNoRuntime but that of the kernel.
//
// A candidate must be a regular executable file that belongs to root or to this
// user and that nobody else can write, and must answer --version; youki must be
// 0.7.0 or later (rootless cgroup v2, CVE-2025-62161, CVE-2025-62596). Any
// other error is a *NoRuntimeError.
func Find(ctx context.Context, want string, youkiPlaces []string) (Binary, error) {
	if filepath.IsAbs(want) {
		return findAt(ctx, want)
	}
	names := []string{"youki", "crun", "runc"}
	if want != "auto" {
		if !slices.Contains(names, want) {
			return Binary{}, &NoRuntimeError{want, []error{errors.New("not auto, youki, crun, runc or an absolute path")}}
		}
		names = []string{want}
	}
	var tried []error
	for _, name := range names {
		b, errs := findNamed(ctx, name, places(name, youkiPlaces))
		if b.Path != "" {
			b.Why = why(want, b, len(tried))
			return b, nil
		}
		tried = append(tried, errs...)
		if short := firstShort(errs); short != nil {
			return Binary{}, fmt.Errorf("find runtime %s: %w", want, short)
		}
	}
	return Binary{}, &NoRuntimeError{want, tried}
}

// firstShort is the first of errs that says nothing of a runtime, but that we were
// in no state to look at it. What would be taken in its place stays for the life of
// this process.
func firstShort(errs []error) error {
	for _, err := range errs {
		for _, short := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN, unix.ENOSPC, unix.EIO} {
			if errors.Is(err, short) {
				return err
			}
		}
	}
	return nil
}

func findAt(ctx context.Context, path string) (Binary, error) {
	b, err := inspect(ctx, path)
	if short := firstShort([]error{err}); short != nil {
		return Binary{}, fmt.Errorf("find runtime: %w", short)
	}
	if err != nil {
		return Binary{}, &NoRuntimeError{path, []error{err}}
	}
	b.Why = "configured by its path"
	return b, nil
}

func findNamed(ctx context.Context, name string, places []string) (Binary, []error) {
	var tried []error
	for _, path := range places {
		b, err := inspect(ctx, path)
		if err == nil && b.Name != name {
			err = fmt.Errorf("%s: calls itself %s", path, b.Name)
		}
		if err == nil {
			return b, nil
		}
		tried = append(tried, err)
	}
	return Binary{}, tried
}

// places lists where the runtime called name may lie, each once.
func places(name string, youki []string) []string {
	if name != "youki" {
		youki = nil
	}
	var list []string
	add := func(path string) {
		if !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	for _, place := range append(slices.Clone(youki), name) {
		if place != name {
			add(place)
			continue
		}
		for _, dir := range filepath.SplitList(Path) {
			add(filepath.Join(dir, name))
		}
	}
	return list
}

func why(want string, b Binary, refused int) string {
	if want != "auto" {
		return "configured by its name, found at " + b.Path
	}
	if b.Name == "youki" {
		return "youki comes first where it can be had"
	}
	return fmt.Sprintf("the first usable one after %d places where no better one is", refused)
}

// inspect checks the file at path and asks it what it is.
func inspect(ctx context.Context, path string) (Binary, error) {
	if !filepath.IsAbs(path) {
		return Binary{}, fmt.Errorf("%s: not an absolute path", path)
	}
	program, err := seal(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Binary{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return Binary{}, fmt.Errorf("%s: %w", path, err)
	}
	// The copy is asked, not the file: what is looked at is what will run, and
	// youki, which would copy itself first, answers in a quarter of the time.
	name, version, err := askVersion(ctx, program.path())
	if err == nil && name == "youki" && older(version, oldestYouki) {
		err = fmt.Errorf("youki %s is older than %s, which rootless cgroup v2 needs", version, oldestYouki)
	}
	if err != nil {
		program.close()
		return Binary{}, fmt.Errorf("%s: %w", path, err)
	}
	return Binary{Name: name, Path: path, Version: version, sealed: program}, nil
}
