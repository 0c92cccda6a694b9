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
//	hold      has the real runtime do it, and returns when there are other orders
//	refuse    says no in the words "out of unicorns", and exits with 1
//	inject=F  is the real runtime, with what strace(1) is told to inject by the
//	          arguments in the file F.order; once, with the trace in F
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	orders, err := os.ReadFile(ordersPath())
	if err != nil && !slices.Contains(os.Args, "--version") {
		fail(err)
	}
	lines := strings.Split(strings.TrimSpace(string(orders)), "\n")
	real := strings.TrimPrefix(lines[0], "real ")
	for _, order := range lines[1:] {
		words := strings.Fields(order)
		if len(words) == 3 && slices.Contains(os.Args, words[0]) && strings.HasPrefix(os.Args[len(os.Args)-1], words[1]) {
			misbehave(words[2], real, string(orders))
		}
	}
	if slices.Contains(os.Args, "--version") {
		fmt.Println("youki version: 0.7.0")
		return
	}
	fail(syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ()))
}

func misbehave(how, real, orders string) {
	if trace, told := strings.CutPrefix(how, "inject="); told {
		inject(trace, real)
		return
	}
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
		runReal(real)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hold":
		runReal(real)
		for {
			if now, _ := os.ReadFile(ordersPath()); string(now) != orders {
				os.Exit(0)
			}
			time.Sleep(time.Millisecond)
		}
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "refuse":
		refuse()
	}
	fail(fmt.Errorf("unknown order %q", how))
}

func ordersPath() string { return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "runtime-orders") }

// runReal passes on the sockets of the container, too.
func runReal(real string) {
	command := exec.Command(real, os.Args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if i := slices.Index(os.Args, "--preserve-fds"); i >= 0 {
		n, _ := strconv.Atoi(os.Args[i+1])
		for fd := 3; fd < 3+n; fd++ {
			command.ExtraFiles = append(command.ExtraFiles, os.NewFile(uintptr(fd), "passed"))
		}
	}
	if err := command.Run(); err != nil {
		fail(err)
	}
}

// inject returns where it was done before: the first call alone is hit. The
// tracer is nobody's parent (-D), and lets go of what is executed: of the program
// of a container, but not of the runtime, which runs from a sealed memory file and
// so need not execute itself again.
func inject(trace, real string) {
	file, err := os.OpenFile(trace, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_ = file.Close()
	order, err := os.ReadFile(trace + ".order")
	if err != nil {
		fail(err)
	}
	program, err := seal(real)
	if err != nil {
		fail(err)
	}
	args := append([]string{"strace", "-D", "-I2", "-f", "-q", "-b", "execve", "-o", trace}, strings.Fields(string(order))...)
	args = append(append(args, program), os.Args[1:]...)
	fail(syscall.Exec("/usr/bin/strace", args, os.Environ()))
}

// seal returns the path of a sealed copy. Its number is above those of what is
// passed to the container.
func seal(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	fd, err := unix.MemfdCreate("runtime", unix.MFD_ALLOW_SEALING)
	if err != nil {
		return "", err
	}
	file := os.NewFile(uintptr(fd), "runtime")
	if _, err := file.Write(data); err != nil {
		return "", err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		return "", err
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 200) // stays open over exec
	return fmt.Sprintf("/proc/self/fd/%d", high), err
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
