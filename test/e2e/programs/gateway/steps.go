package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// actions are the steps by name. A function: once refers to the table itself.
func actions() map[string]func(value string) error {
	return map[string]func(string) error{
		"serve":     serve,
		"unix":      acceptUnix,
		"get":       get,
		"notify":    func(string) error { return notify() },
		"out":       func(text string) error { return line(os.Stdout, text) },
		"err":       func(text string) error { return line(os.Stderr, text) },
		"flood":     flood,
		"close":     func(string) error { return errors.Join(os.Stdout.Close(), os.Stderr.Close()) },
		"blob":      blob,
		"crowd":     crowd,
		"sleep":     sleep,
		"await":     await,
		"write":     write,
		"copy":      copyFile,
		"link":      copyLink,
		"bury":      bury,
		"orphan":    orphan,
		"leave":     leave,
		"unshare":   unshare,
		"leak":      leak,
		"backwards": backwards,
		"complain":  complain,
		"sick":      func(string) error { sick.Store(true); return nil },
		"deaf":      func(string) error { deaf.Store(true); return nil },
		"ignore":    func(name string) error { return action(name, ignored) },
		"default":   func(name string) error { return action(name, byDefault) },
		"exit":      exit,
		"die":       die,
		"once":      once,
		"when":      when,
		"fork":      fork,
		"hog":       hog,
		"fill":      fill,
		"chmod":     closeAll,
		"lie":       lie,
		"keep":      keep,
		"mounts":    mounts,
		"cgroups":   cgroups,
	}
}

func line(w io.Writer, text string) error {
	text, err := strconv.Unquote(`"` + text + `"`)
	if err == nil {
		_, err = io.WriteString(w, text+"\n")
	}
	return err
}

func flood(value string) error {
	n, err := strconv.Atoi(value)
	w := bufio.NewWriter(os.Stdout)
	for i := 1; i <= n; i++ {
		fmt.Fprintln(w, i)
	}
	return errors.Join(err, w.Flush())
}

func blob(value string) error {
	n, err := strconv.Atoi(value)
	chunk := strings.Repeat("x", 4096)
	for ; err == nil && n > 0; n -= len(chunk) {
		_, err = io.WriteString(os.Stdout, chunk[:min(n, len(chunk))])
	}
	return errors.Join(err, line(os.Stdout, ""))
}

func crowd(value string) error {
	n, err := strconv.Atoi(value)
	for ; err == nil && n > 0; n-- {
		err = exec.Command("/proc/self/exe", "sleep=1h").Start()
	}
	return err
}

func sleep(value string) error {
	d, err := time.ParseDuration(value)
	time.Sleep(d)
	return err
}

func await(path string) error {
	for {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func write(value string) error {
	path, text, _ := strings.Cut(value, ":")
	return os.WriteFile(path, []byte(text), 0o600)
}

func copyFile(value string) error {
	from, to, _ := strings.Cut(value, ":")
	data, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, data, 0o600))
}

func copyLink(value string) error {
	from, to, _ := strings.Cut(value, ":")
	target, err := os.Readlink(from)
	return errors.Join(err, os.WriteFile(to, []byte(target), 0o600))
}

// unshare makes a call that anybody may make, unless a seccomp filter refuses it.
func unshare(path string) error {
	return os.WriteFile(path, []byte(fmt.Sprint(syscall.Unshare(syscall.CLONE_FS))), 0o600)
}

func bury(path string) error {
	if err := os.MkdirAll(filepath.Join(path, "inner"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(path, "inner/file"), []byte("buried"), 0); err != nil {
		return err
	}
	return errors.Join(os.Chmod(filepath.Join(path, "inner"), 0), os.Chmod(path, 0))
}

// orphan starts a child that starts a grandchild and ends.
func orphan(value string) error { return exec.Command("/proc/self/exe", "leave="+value).Run() }

func leave(value string) error {
	if err := exec.Command("/proc/self/exe", "sleep="+value, "exit=0").Start(); err != nil {
		return err
	}
	return exit("0")
}

func acceptUnix(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return nil
}

func notify() error {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("STATUS=all is well\nREADY=1\n"))
	return err
}

func exit(value string) error {
	code, err := strconv.Atoi(value)
	if err == nil {
		os.Exit(code)
	}
	return err
}

func once(value string) error {
	path, step, _ := strings.Cut(value, ":")
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	do(step)
	return nil
}

func when(value string) error {
	path, step, _ := strings.Cut(value, ":")
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	do(step)
	return nil
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "SEGV": syscall.SIGSEGV, "ABRT": syscall.SIGABRT, "USR1": syscall.SIGUSR1,
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT,
}

const (
	byDefault = 0 // SIG_DFL
	ignored   = 1 // SIG_IGN
)

// action sets what the kernel does at a signal, behind the back of Go's runtime,
// which else keeps a handler of its own: a program in another language has none.
func action(name string, disposition uint64) error {
	number, ok := signals[name]
	if !ok {
		return fmt.Errorf("no signal %s", name)
	}
	act := [4]uint64{disposition} // struct sigaction of the kernel
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(number), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// die ends the process by a signal. PID 1 cannot kill itself: the kernel forces
// a real fault on it, and nothing else.
func die(name string) error {
	if err := action(name, byDefault); err != nil && name != "KILL" {
		return err
	}
	runtime.LockOSThread()
	if name == "SEGV" {
		_ = *(*int)(unsafe.Pointer(address()))
	}
	_ = syscall.Kill(os.Getpid(), signals[name])
	return errors.New("still alive")
}

//go:noinline
func address() *byte { return nil }
