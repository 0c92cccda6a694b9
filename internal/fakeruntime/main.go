package fakeruntime

import (
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

// version is what lies in the file beside the program, if there is one.
func version() string {
	path, _ := os.Executable()
	data, err := os.ReadFile(path + ".version")
	if err != nil {
		return "youki version: 99.0.0"
	}
	if string(data) == "hang" {
		hang()
	}
	return string(data)
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
