package launch

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// endLeft ends the processes of a launch of which only the name is known, and
// its leaf if it has one: by the launch's id, for what a killed runtime left
// before there was a record; by the recorded process, the init of the pid
// namespace, whose end is the end of all in it; and by the leaf. The runtime's
// come first, since they would make others.
func (h *Host) endLeft(ctx context.Context, id string, leaf *runtime.Leaf) error {
	errs := []error{endNamed(ctx, id)}
	if identity, ok := readRecord(filepath.Join(h.Dirs.Launches(), id)); ok && identity.Alive() {
		errs = append(errs, identity.Kill(ctx))
	}
	if leaf != nil {
		errs = append(errs, leaf.Kill(ctx))
	}
	return errors.Join(errs...)
}

// endNamed looks again until it finds none: they may have forked meanwhile.
func endNamed(ctx context.Context, id string) error {
	for {
		named, err := runtime.ProcessesNaming(id)
		if err != nil {
			return err
		}
		named = append(named, inCgroupOf(id)...)
		if len(named) == 0 {
			return nil
		}
		for _, identity := range named {
			if err := identity.Kill(ctx); err != nil {
				return err
			}
		}
	}
}

// inCgroupOf returns the live processes in a cgroup that is called by the launch
// id: that of the launch, or one that the runtime makes on its own where we give
// it none. The waiting init of runc does not have the id in its command line.
func inCgroupOf(id string) (found []runtime.Identity) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil // the pattern is none
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil || !slices.ContainsFunc(strings.Split(string(data), "\n"), func(line string) bool { return isCgroupOf(line, id) }) {
			continue
		}
		pid, _ := strconv.Atoi(path.Base(path.Dir(file)))
		if identity, err := runtime.Identify(pid); err == nil && identity.Alive() {
			found = append(found, identity)
		}
	}
	return found
}

// isCgroupOf looks at a line ID:CONTROLLERS:PATH of /proc/PID/cgroup. youki
// prefixes the name.
func isCgroupOf(line, id string) bool {
	fields := strings.SplitN(line, ":", 3)
	return len(fields) == 3 && slices.ContainsFunc(strings.Split(fields[2], "/"), func(name string) bool {
		return strings.TrimPrefix(name, ":youki:") == id
	})
}
