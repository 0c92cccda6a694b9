package fakeruntime

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (f fake) create() {
	f.misbehaveEarly()
	if err := os.Mkdir(f.state(), 0o700); err != nil {
		f.die("make state: %v", err)
	}
	spec := f.spec()
	if spec.Process == nil {
		f.die("config.json has no process")
	}
	if err := syscall.Mkfifo(filepath.Join(f.state(), "start"), 0o600); err != nil {
		f.die("make fifo: %v", err)
	}
	init := f.forkInit(spec)
	if slices.ContainsFunc(spec.Mounts, func(m specs.Mount) bool { return m.Type == "nosuchfs" }) {
		f.die("mount: no such device")
	}
	f.misbehaveLate()
	_ = os.WriteFile(filepath.Join(f.state(), "pid"), []byte(strconv.Itoa(init)), 0o600)
	f.writePid(init)
}

func (f fake) misbehaveEarly() {
	switch {
	case f.told("create-hang"):
		hang()
	case f.told("create-flood"):
		f.flood()
	case f.told("create-die-early"):
		killSelf()
	}
}

func (f fake) misbehaveLate() {
	if f.told("create-orphans") { // children of a parent that is gone
		f.fork("parent")
	}
	switch {
	case f.told("create-hang-late"):
		hang()
	case f.told("create-die-late"):
		killSelf()
	case f.told("create-refuse-late"):
		f.die("no more room")
	}
}

// flood writes much into the log, with an error at the beginning and the end.
func (f fake) flood() {
	log, _ := os.Create(f.log)
	fmt.Fprintln(log, `{"level":"ERROR","message":"the cause"}`)
	noise := strings.Repeat(`{"level":"INFO","message":"noise"}`+"\n", 1000)
	for range 200 {
		_, _ = log.WriteString(noise)
	}
	fmt.Fprintln(log, `{"level":"ERROR","message":"the failure"}`)
	exit(1)
}

func (f fake) writePid(init int) {
	for _, lie := range []string{"1", "0", "-1", "twelve", "", strings.Repeat("9", 1000)} {
		if f.told("create-pid=" + lie) {
			_ = os.WriteFile(f.pidFile, []byte(lie), 0o600)
			return
		}
	}
	if data, err := os.ReadFile(filepath.Join(filepath.Dir(f.root), "lie")); err == nil {
		_ = os.WriteFile(f.pidFile, data, 0o600)
		return
	}
	if !f.told("create-no-pid") {
		_ = os.WriteFile(f.pidFile, []byte(strconv.Itoa(init)+"\n"), 0o600)
	}
}

func (f fake) spec() specs.Spec {
	var spec specs.Spec
	data, err := os.ReadFile(filepath.Join(f.bundle, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &spec)
	}
	if err != nil {
		f.die("read config: %v", err)
	}
	return spec
}
