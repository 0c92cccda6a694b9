package launch

import (
	"fmt"
	"os"
)

// holdNamespace keeps the mounts of a container beyond its end, until it is cleaned.
// Else the last thread to exit takes them down and waits for all processors on its
// way (namespace_unlock in the kernel's fs/namespace.c), 0.3 ms for which whoever
// takes over waits, too. It works once the program runs: the runtime's own process
// is not ours to look into (PR_SET_DUMPABLE).
func (la *launch) holdNamespace() {
	if la.gateway.Isolation.Bare || la.namespace.Load() != nil {
		return
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", la.process.Pid()))
	if err == nil && !la.namespace.CompareAndSwap(nil, file) {
		_ = file.Close()
	}
}

func (la *launch) leaveNamespace() {
	if file := la.namespace.Swap(nil); file != nil {
		_ = file.Close()
	}
}
