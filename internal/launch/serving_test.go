package launch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inherit is a program that serves on all sockets that it was passed: each answers with
// the number of the launch and the name of the listen. How says what it does wrong.
func inherit(how string) error {
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("LISTEN_PID is %q, want %d", pid, os.Getpid())
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err != nil || n != len(names) {
		return fmt.Errorf("LISTEN_FDS is %d, with the names %q", n, names)
	}
	if how != "idle" { // the fake runtime lets through what it has itself
		if err := onlyThese(len(names)); err != nil {
			return err
		}
	}
	for i, name := range names {
		if err := misbehave(how, 3+i); err != nil {
			return err
		}
		if how != "" {
			continue
		}
		l, err := net.FileListener(os.NewFile(uintptr(3+i), name))
		if err != nil {
			return err
		}
		go answer(l, name)
	}
	fmt.Println("ready")
	return lastUntilTerm()
}

// onlyThese fails for a descriptor that nobody meant, and for a socket that blocks.
func onlyThese(passed int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		link, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err != nil || strings.HasPrefix(link, "anon_inode:") || strings.HasPrefix(link, "/sys/fs/cgroup/") {
			continue // what reads the directory, and Go's own
		}
		if fd >= 3+passed || fd >= 3 && !strings.HasPrefix(link, "socket:") {
			return fmt.Errorf("descriptor %d is %s", fd, link)
		}
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); fd >= 3 && flags&unix.O_NONBLOCK == 0 {
			return fmt.Errorf("flags of descriptor %d: %#x: it blocks", fd, flags)
		}
	}
	return nil
}

func answer(l net.Listener, name string) {
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			_, _ = fmt.Fprintln(w, "held")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = fmt.Fprint(w, "launch ", os.Getenv("GATEWAYD_LAUNCH"), " ", name)
	}))
}

func lastUntilTerm() error {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	return nil
}

// misbehave is what a hostile program may do to its socket.
func misbehave(how string, fd int) error {
	switch how {
	case "", "idle":
		return nil
	case "shutdown":
		return unix.Shutdown(fd, unix.SHUT_RDWR)
	case "block":
		return unix.SetNonblock(fd, false)
	case "close":
		return unix.Close(fd)
	}
	return errors.New("no such misbehaviour: " + how)
}

// behind is a program that serves where a proxy looks for it: on PORT, or at the path.
func behind(at string) error {
	network, address := "unix", at
	if at == "port" {
		network, address = "tcp", "127.0.0.1:"+os.Getenv("PORT")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go answer(l, "behind")
	fmt.Println("ready")
	return lastUntilTerm()
}
