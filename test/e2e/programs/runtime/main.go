// Runtime is a container runtime that goes wrong as it is told to: it stands
// before a real one. gatewayd runs it from a sealed memory file and with an
// almost empty environment, so that it is told by a file,
// $XDG_RUNTIME_DIR/runtime-orders:
//
//	real /usr/local/libexec/gatewayd/youki
//	create web- hang
//
// The first line names the real runtime. Each further one has a verb, the
// beginning of the ids (of the last argument) that it concerns, and what happens
// then:
//
//	hang      never returns, and ignores SIGTERM
//	stop      stops itself (SIGSTOP), and does its work when somebody continues it
//	lie       says that it worked, and does nothing
//	die       does nothing and is killed
//	late-die  has the real runtime do it and is killed then
//	refuse    says no in the words "out of unicorns", and exits with 1
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	orders, err := os.ReadFile(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "runtime-orders"))
	if err != nil && !slices.Contains(os.Args, "--version") {
		fail(err)
	}
	lines := strings.Split(strings.TrimSpace(string(orders)), "\n")
	real := strings.TrimPrefix(lines[0], "real ")
	for _, order := range lines[1:] {
		words := strings.Fields(order)
		if len(words) == 3 && slices.Contains(os.Args, words[0]) && strings.HasPrefix(os.Args[len(os.Args)-1], words[1]) {
			misbehave(words[2], real)
		}
	}
	if slices.Contains(os.Args, "--version") {
		fmt.Println("youki version: 0.7.0")
		return
	}
	fail(syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ()))
}

func misbehave(how, real string) {
	switch how {
	case "hang":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		time.Sleep(24 * time.Hour)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	case "lie":
		os.Exit(0)
	case "late-die":
		command := exec.Command(real, os.Args[1:]...)
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			fail(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "refuse":
		refuse()
	}
	fail(fmt.Errorf("unknown order %q", how))
}

// refuse uses the log file as youki does.
func refuse() {
	if i := slices.Index(os.Args, "--log"); i >= 0 {
		entry, _ := json.Marshal(map[string]string{"timestamp": "2026-01-01T00:00:00Z", "level": "ERROR", "message": "out of unicorns"})
		_ = os.WriteFile(os.Args[i+1], append(entry, '\n'), 0o600)
	}
	os.Exit(1)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "test runtime:", err)
	os.Exit(1)
}
