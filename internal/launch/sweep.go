package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// Sweep removes all that an earlier gatewayd left in the directories and in the
// cgroup: its processes, runtime states, leaves, secrets and trees. The caller
// holds the lock of the directories and begins no launch meanwhile, so
// nothing there has a live owner. Persistent data stays.
//
// What goes by a name of spared stays: launches that were taken over from an
// earlier image of this process, which has them by now.
//
// The directories by which the launches are known go last, after Swept was told of
// them: of a sweep that is killed the next one has all that nobody has heard of.
//
// It returns the ids of the launches that were removed, and all errors joined;
// what it could not remove stays for the next sweep. A second call is harmless.
func (h *Host) Sweep(ctx context.Context, spared ...string) ([]string, error) {
	// What is secret comes first of all: no path leads to it while others wait.
	errs := []error{h.sweepSecrets(ctx, spared)}
	leaves, err := h.leaves()
	errs = append(errs, err)
	names, err := h.left()
	errs = append(errs, err)
	errs = append(errs, staging.Prune(h.Dirs.Digests(), time.Now()), discard(h.workedAside()))
	for _, name := range names {
		if isID(name) && !slices.Contains(spared, name) {
			_ = h.scrubLeft(name) // what cannot be is told when it is its turn
		}
	}
	var swept []string
	how := removal()
	for _, name := range names {
		if slices.Contains(spared, name) {
			continue
		}
		if err := h.sweepName(ctx, name, leaves[name], how); err != nil {
			errs = append(errs, fmt.Errorf("sweep %s: %w", name, err))
		} else if isID(name) {
			swept = append(swept, name)
		}
	}
	if h.Swept != nil && len(swept) > 0 {
		h.Swept(swept)
	}
	for _, id := range swept {
		errs = append(errs, bundle.Remove(ctx, h.Dirs.Launches(), id, bundle.RemoveOptions{}))
	}
	return swept, errors.Join(append(errs, h.children.reapOrphans())...)
}

func discard(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (h *Host) sweepSecrets(ctx context.Context, spared []string) error {
	names, err := namesIn(h.Dirs.Secrets())
	errs := []error{err}
	for _, name := range names {
		if !slices.Contains(spared, owedTo(name)) {
			errs = append(errs, h.removeSecrets(ctx, name))
		}
	}
	return errors.Join(errs...)
}

// Left tells whether there is anything for Sweep to do.
func (h *Host) Left() bool {
	names, err := h.left()
	return len(names) > 0 || err != nil
}

// leaves are the cgroups below ours, by name. Which of them belongs to a launch
// is told by the directories: in a cgroup that we share (root's shell) the
// others are somebody else's.
func (h *Host) leaves() (map[string]*runtime.Leaf, error) {
	byID := make(map[string]*runtime.Leaf)
	if h.Cgroup == nil {
		return byID, nil
	}
	leaves, err := h.Cgroup.Leaves()
	for _, leaf := range leaves {
		byID[leaf.ID()] = leaf
	}
	return byID, err
}

// left are the names of everything in our directories. A crash can leave a
// launch in any subset of them.
func (h *Host) left() ([]string, error) {
	var names []string
	var errs []error
	for _, dir := range []string{h.Dirs.Launches(), h.Dirs.Secrets(), h.Dirs.Rootfs(), h.Dirs.RuntimeRoot()} {
		in, err := namesIn(dir)
		errs = append(errs, err)
		for _, name := range in {
			names = append(names, owedTo(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(errs...)
}

// namesIn are those of a directory; none where there is no directory.
func namesIn(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// owedTo is the launch that a name belongs to: also that of a directory beside
// its root, and that of a tree whose removal was cut short or could not end. The
// name was taken from the tree by then, and all else of the launch is to go, too.
func owedTo(name string) string {
	id := strings.TrimPrefix(name, bundle.RemovingPrefix)
	if id, _, _ = strings.Cut(id, socketDirMark); isID(id) {
		return id
	}
	return name
}

// sweepName removes what goes by one name. Only a launch's id is looked for
// among the processes: anything shorter, such as the temporary name of a tree
// whose staging was cut short, could be part of a stranger's command line.
func (h *Host) sweepName(ctx context.Context, name string, leaf *runtime.Leaf, how bundle.RemoveOptions) error {
	if isID(name) {
		return h.sweepLaunch(ctx, name, leaf, how)
	}
	return errors.Join(
		bundle.Remove(ctx, h.Dirs.Launches(), name, bundle.RemoveOptions{}),
		bundle.Remove(ctx, h.Dirs.RuntimeRoot(), name, bundle.RemoveOptions{}),
		bundle.Remove(ctx, h.Dirs.Rootfs(), name, how),
	)
}

// idForm is the form <gateway>-<launch>-<random> that bundle.NewID gives, whose
// random part makes it unmistakable.
var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*-[0-9]+-[a-z2-7]{10}$`)

func isID(name string) bool { return idForm.MatchString(name) }

// sweepLaunch is Clean for a launch of which only the name is known, and its
// leaf if it has one. The directory of that name stays.
func (h *Host) sweepLaunch(ctx context.Context, id string, leaf *runtime.Leaf, how bundle.RemoveOptions) error {
	scrubbed := h.scrubLeft(id)
	if err := h.endLeft(ctx, id, leaf); err != nil {
		return errors.Join(scrubbed, err)
	}
	errs := []error{h.deleteState(ctx, id)}
	if leaf != nil {
		errs = append(errs, leaf.Remove(ctx))
	}
	trees, err := h.treesOf(id)
	errs = append(errs, err)
	for _, tree := range trees {
		errs = append(errs, bundle.Remove(ctx, h.Dirs.Rootfs(), tree, how))
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(scrubbed, err)
	}
	return nil // what could not be scrubbed goes with its directory
}

// treesOf are the names of a launch's root and of the directories beside it, as
// they were before a removal began.
func (h *Host) treesOf(id string) ([]string, error) {
	entries, err := os.ReadDir(h.Dirs.Rootfs())
	trees := []string{id}
	for _, entry := range entries {
		if name := strings.TrimPrefix(entry.Name(), bundle.RemovingPrefix); name != id && owedTo(name) == id {
			trees = append(trees, name)
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return trees, err
}

// scrubLeft takes the environment out of what a launch has left on the host; of
// crun that is a copy, too.
func (h *Host) scrubLeft(id string) error {
	return errors.Join(scrubIn(filepath.Join(h.Dirs.Launches(), id)), scrubIn(filepath.Join(h.Dirs.RuntimeRoot(), id)))
}

// scrubIn writes in a directory alone, and never where a symbolic link leads.
func scrubIn(dir string) error {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // there is no config.json in it
	}
	return bundle.ScrubConfig(dir)
}

// deleteState removes what the runtime keeps. The runtime itself is asked only
// when the directory is gone, for what it keeps elsewhere: at the sight of its
// state it would kill the process that had the container's pid, whoever has
// that pid now that nobody holds it.
func (h *Host) deleteState(ctx context.Context, id string) error {
	if err := bundle.Remove(ctx, h.Dirs.RuntimeRoot(), id, bundle.RemoveOptions{}); err != nil {
		return err
	}
	r, err := h.Runtime(ctx)
	if err != nil {
		return nil // the directory is gone, and nobody is there to ask for more
	}
	return r.Delete(ctx, id)
}
