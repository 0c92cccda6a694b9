package main

import (
	"fmt"
	"os"
	"sync"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// A runtime that is upgraded or removed under gatewayd changes nothing: the copy in
// memory runs on, until gatewayd is started again. That is told.

// runtimeFile is what was last found of the file that the runtime was copied from.
type runtimeFile struct {
	mu      sync.Mutex
	seen    os.FileInfo // as it was compared; nil: it is not there
	changed error       // what is another one now; nil: nothing
}

// look compares the file with the copy, unless it is as it was the last time. It says
// whether the answer is another one than then.
func (f *runtimeFile) look(b runtime.Binary) (changed error, news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.changed
	is, err := os.Stat(b.Path)
	switch {
	case err != nil:
		f.seen, f.changed = nil, err
	case f.seen == nil || !os.SameFile(is, f.seen) || is.ModTime() != f.seen.ModTime() || is.Size() != f.seen.Size():
		f.seen, f.changed = is, b.Changed()
	}
	return f.changed, (before == nil) != (f.changed == nil)
}

// lookAtRuntime says what has become of the runtime's file; "": nothing. It is told in
// the log once, and when the file is as it was again.
func (d *daemon) lookAtRuntime() string {
	binary := d.opening.program()
	if binary.Path == "" {
		return "" // there is no runtime, or not yet
	}
	changed, news := d.opening.file.look(binary)
	name := binary.Name + " " + binary.Version
	if changed == nil {
		if news {
			d.log.Info("runtime "+name+" is on the disk as it runs again", event("runtime-changed"))
		}
		return ""
	}
	words := fmt.Sprintf("%s goes on, from a copy in memory: %v; a restart of gatewayd takes what is there then", name, changed)
	if news {
		d.log.Warn("runtime "+words, event("runtime-changed"), zap.String("path", binary.Path))
	}
	return words
}
