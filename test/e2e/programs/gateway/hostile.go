package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// did tells by a variable, which /env shows, how far a step came: what is written
// may be dropped, and no file may be to be had.
func did(step string, n int, err error) error {
	return os.Setenv("DID_"+step, fmt.Sprintf("%d: %v", n, err))
}

// fork makes processes until there are no more to be had, then lets a few end: Go
// itself may need a thread.
func fork(string) error {
	var children []int
	for {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			for _, child := range children[max(0, len(children)-4):] {
				_ = syscall.Kill(child, syscall.SIGKILL)
				_, _ = syscall.Wait4(child, nil, 0, nil)
			}
			return did("FORK", len(children), errno)
		}
		for pid == 0 { // the child has one thread, and may not use Go's runtime
			_, _, _ = syscall.RawSyscall(syscall.SYS_PAUSE, 0, 0, 0) // until it is killed
		}
		children = append(children, int(pid))
	}
}

// hog takes memory by the megabyte and uses it, then gives some back.
func hog(string) error {
	const size = 1 << 20
	var taken [][]byte
	for {
		data, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
		if err != nil {
			for _, data := range taken[max(0, len(taken)-32):] {
				_ = syscall.Munmap(data)
			}
			return did("HOG", len(taken), err)
		}
		taken = append(taken, data)
	}
}

// fill takes all bytes, and then all names, of a file system.
func fill(dir string) error {
	file, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<16)
	for err == nil {
		_, err = file.Write(chunk)
	}
	_ = file.Close()
	n := 0
	for ; ; n++ {
		if err = os.Mkdir(filepath.Join(dir, strconv.Itoa(n)), 0o700); err != nil {
			return did("FILL"+dir, n, err)
		}
	}
}

// closeAll takes all modes away from all that there is.
func closeAll(root string) error {
	var closed []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if path == "/proc" || path == "/sys" {
			return filepath.SkipDir
		}
		closed = append(closed, path)
		return nil //nolint:nilerr // what cannot be read is closed all the same
	})
	n := 0
	for i := range closed { // the deepest first
		if os.Chmod(closed[len(closed)-1-i], 0) == nil {
			n++
		}
	}
	return did("CLOSE", n, err)
}

// lie says by the notify socket what only others may say, with descriptors, and
// looks for the sockets of others.
func lie(string) error {
	const words = "READY=1\nMAINPID=1\nSTOPPING=1\nRELOADING=1\nWATCHDOG=trigger\nFDSTORE=1\nFDNAME=web.http\nERRNO=1\nBUSERROR=x\n" +
		"EXTEND_TIMEOUT_USEC=1\nSTATUS=\x1b]0;owned\x07\r\nPRIORITY=0\nMESSAGE=forged"
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	ours := &syscall.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}
	for range 2000 {
		err := syscall.Sendmsg(socket, []byte(words), syscall.UnixRights(0, 1, 2), ours, 0)
		if errors.Is(err, syscall.ETOOMANYREFS) { // as many are on their way as it may have open
			err = syscall.Sendmsg(socket, []byte(words), nil, ours, 0)
		}
		if err != nil {
			return did("LIE", 0, err)
		}
	}
	found := 0
	for _, path := range []string{"/run/systemd/notify", "/run/user/" + strconv.Itoa(os.Getuid()) + "/systemd/notify", "@/org/freedesktop/systemd1/notify"} {
		if syscall.Sendmsg(socket, []byte(words), nil, &syscall.SockaddrUnix{Name: path}, 0) == nil {
			found++
		}
	}
	return did("LIE", found, nil)
}

// keep leaves a process in a session of its own that holds stdout, and hears
// nothing.
func keep(string) error {
	child := exec.Command("/proc/self/exe", "ignore=TERM", "ignore=HUP", "ignore=INT", "sleep=1h")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return child.Start()
}

// mounts puts one thing over another as often as asked for.
func mounts(value string) error {
	want, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/tmp/mounts", 0o700); err != nil {
		return err
	}
	for n := range want {
		if err := syscall.Mount("tmpfs", "/tmp/mounts", "tmpfs", 0, "size=4k"); err != nil {
			return did("MOUNTS", n, err)
		}
	}
	return did("MOUNTS", want, nil)
}

// cgroups makes some below its own, deep ones, with a frozen process in one.
func cgroups(value string) error {
	want, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	const top = "/run/cgroup"
	if err := os.MkdirAll(top, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("cgroup2", top, "cgroup2", 0, ""); err != nil {
		return did("CGROUPS", 0, err)
	}
	path, made := top, 0
	for ; made < want && err == nil; made++ {
		path += "/" + strings.Repeat("x", 20)
		err = os.Mkdir(path, 0o700)
	}
	return did("CGROUPS", made, errors.Join(err, freeze(path)))
}

func freeze(path string) error {
	child := exec.Command("/proc/self/exe", "sleep=1h")
	if err := child.Start(); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+"/cgroup.procs", []byte(strconv.Itoa(child.Process.Pid)), 0o600),
		os.WriteFile(path+"/cgroup.freeze", []byte("1"), 0o600))
}
