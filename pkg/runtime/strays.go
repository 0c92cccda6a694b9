package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gatewayd/gatewayd/internal/step"
)

// removeStrays removes the cgroups that a runtime has made for the container id
// on a machine with cgroup v1, where it is given none: they are left when its
// create is killed before it has written down that it made them. The id is this
// launch's own, and rmdir(2) removes no cgroup with a process in it.
//
// In a delegated cgroup v2 there is nothing to look for: Leaf.Remove does it.
func removeStrays(id string) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount := hierarchy(fields[1])
		for _, parent := range []string{fields[2], "/"} { // runc stays below us, youki does not
			for _, name := range []string{id, ":youki:" + id} {
				_ = syscall.Rmdir(filepath.Join(mount, parent, name))
				step.Done("stray-removed")
			}
		}
	}
}

// hierarchy is where a hierarchy of /proc/PID/cgroup is mounted by convention.
func hierarchy(controllers string) string {
	if controllers == "" {
		controllers = "unified"
	}
	return fmt.Sprintf("%s/%s", unifiedMount, strings.TrimPrefix(controllers, "name="))
}
