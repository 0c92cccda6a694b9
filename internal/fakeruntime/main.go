package fakeruntime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What a part of the fake finds in its environment.
const (
	roleEnv = "FAKE_ROLE"
	specEnv = "FAKE_SPEC"
)

// lifetime bounds every part of the fake, whatever the test does.
const lifetime = time.Minute

// Main returns in a process that is not the fake runtime, and never in one that
// is.
func Main() {
	role := os.Getenv(roleEnv)
	called := len(os.Args) > 1 && (os.Args[1] == "--root" || os.Args[1] == "--version")
	if role == "" && !called {
		return
	}
	time.AfterFunc(lifetime, func() { exit(96) })
	if role != "" {
		parse(os.Args[1:]).play(role)
	}
	if os.Args[1] == "--version" {
		fmt.Println(version())
		exit(0)
	}
	parse(os.Args[1:]).run()
	exit(0)
}

// exit does not give the race detector its second to wait for reports.
func exit(code int) { syscall.Exit(code) }

// versionMark is between the program and what it says of its version, at the end
// of a file that Plant has made.
const versionMark = "\x00version\x00"

// Plant makes the file path a copy of the test binary that says version when it
// is asked, or does not answer where that is "hang".
func Plant(path, version string, mode os.FileMode) error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	program = append(append(program, versionMark...), version...)
	if err := os.WriteFile(path, program, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, mode) // whatever the umask
}

// version is what Plant gave it. It goes with the program's copies, which the
// runtime is run from.
func version() string {
	said, found := strings.CutPrefix(tail(), versionMark)
	if !found {
		return "youki version: 99.0.0"
	}
	if said == "hang" {
		hang()
	}
	return said
}

// tail is the end of the program from the last versionMark on, if there is one
// within what Plant writes.
func tail() string {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return ""
	}
	defer file.Close()
	end := make([]byte, 256)
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	if _, err := file.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return ""
	}
	return string(end[max(0, bytes.LastIndex(end, []byte(versionMark))):])
}

// fake is one call of the runtime.
type fake struct {
	root, log, op, bundle, pidFile, id string
}

func parse(args []string) fake {
	var f fake
	values := map[string]*string{"--root": &f.root, "--log": &f.log, "--log-format": new(string),
		"--bundle": &f.bundle, "--pid-file": &f.pidFile, "--preserve-fds": new(string)}
	for i := 0; i < len(args); i++ {
		if to, ok := values[args[i]]; ok {
			i++
			*to = args[i]
		} else if f.op == "" {
			f.op = args[i]
		} else if args[i] != "--force" {
			f.id = args[i]
		}
	}
	return f
}

func (f fake) run() {
	switch f.op {
	case "create":
		f.create()
	case "start":
		f.start()
	case "delete":
		f.delete()
	}
}

// told says whether word is in the file of behaviour.
func (f fake) told(word string) bool {
	data, _ := os.ReadFile(filepath.Join(filepath.Dir(f.root), "behaviour"))
	return slices.Contains(strings.Fields(string(data)), word)
}

// state is the directory of the container.
func (f fake) state() string { return filepath.Join(f.root, f.id) }

// die logs as youki does.
func (f fake) die(format string, args ...any) {
	f.logError(fmt.Sprintf(format, args...))
	exit(1)
}

func (f fake) logError(text string) {
	line, _ := json.Marshal(map[string]string{"level": "ERROR", "message": text})
	_ = os.WriteFile(f.log, append(line, '\n'), 0o600)
}

func hang() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	select {}
}

func killSelf() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
