package inside

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// programs are what the tests run inside. They tell what they see on stdout.
var programs = map[string]func(args []string) error{
	"exit":    exit,
	"die":     die,
	"wait":    wait,
	"signals": showSignals,
	"session": session,
	"orphan":  orphan,
	"leave":   leave,
	"sockets": sockets,
	"hook":    hook,
	"rights":  rights,
	"forbid":  forbidden,
}

func exit(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(code)
	return nil
}

func die(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := unix.Kill(os.Getpid(), syscall.Signal(n)); err != nil {
		return err
	}
	select {} // until it arrives
}

// wait says that it runs, then lasts until its stdin ends.
func wait([]string) error {
	fmt.Println("running")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// showSignals prints each signal that it gets, until SIGTERM.
func showSignals([]string) error {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	fmt.Println("running")
	for s := range signals {
		if s == syscall.SIGURG {
			continue // Go's own
		}
		fmt.Println(int(s.(syscall.Signal)))
		if s == syscall.SIGTERM {
			return nil
		}
	}
	return nil
}

func session([]string) error {
	sid, err := unix.Getsid(0)
	fmt.Println(os.Getpid(), sid, unix.Getpgrp())
	return err
}

// orphan runs a process that leaves one of its own behind, ends that one, and
// returns when it is gone altogether: without a reaper it stays a zombie.
func orphan([]string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	parent := exec.Command(self, "program", "leave")
	parent.Stdin = r
	out, err := parent.Output()
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return err
	}
	r.Close()
	w.Close()
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); {
		if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			return nil
		}
		os.ReadFile("/proc/self/stat") // a moment for the others
	}
	return fmt.Errorf("orphan %d is still there", pid)
}

// leave starts a process that lasts until stdin ends and does not wait for it.
func leave([]string) error {
	child := exec.Command(self, "program", "wait")
	child.Stdin = os.Stdin
	if err := child.Start(); err != nil {
		return err
	}
	fmt.Println(child.Process.Pid)
	return nil
}

// sockets takes the socket that was passed to it and answers one connection.
func sockets([]string) error {
	if got, want := os.Getenv("LISTEN_PID"), strconv.Itoa(os.Getpid()); got != want {
		return fmt.Errorf("LISTEN_PID is %s, and this is %s", got, want)
	}
	l, err := net.FileListener(os.NewFile(firstSocket, "socket"))
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if held, err := net.Listen("tcp", l.Addr().String()); err == nil {
		held.Close()
		return errors.New("the address was free")
	}
	unix.Close(firstSocket)
	l.Close()
	// Nobody may hold it open now, init included.
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer again.Close()
	_, err = io.WriteString(conn, "served\n")
	return err
}

// hook shows the loopback before and after, and that it works.
func hook([]string) error {
	before, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	if err := LoopbackUp(); err != nil {
		return err
	}
	after, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	conn.Close()
	fmt.Println(before.Flags&net.FlagUp != 0, after.Flags&net.FlagUp != 0)
	return LoopbackUp() // once more changes nothing
}

// rights shows what the kernel knows of this process: its capability sets and
// no_new_privs, its seccomp mode, and the descriptors that it has been given.
func rights([]string) error {
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return err
	}
	for _, path := range descriptors {
		n, _ := strconv.Atoi(filepath.Base(path))
		if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil && n > 2 && flags&unix.FD_CLOEXEC == 0 {
			fmt.Printf("fd=%d ", n) // Go opens its own with FD_CLOEXEC
		}
	}
	status, err := os.Open("/proc/thread-self/status")
	if err != nil {
		return err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.HasPrefix(key, "Cap") || key == "NoNewPrivs" || key == "Seccomp" {
			fmt.Printf("%s=%s ", key, strings.TrimSpace(value))
		}
	}
	fmt.Println()
	return nil
}

// forbidden shows what becomes of two calls, which anybody may make otherwise.
func forbidden([]string) error {
	_, keyctl := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	fmt.Println(errors.Is(unix.Unshare(unix.CLONE_FS), unix.EPERM), errors.Is(keyctl, unix.ENOSYS))
	return nil
}
