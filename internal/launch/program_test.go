package launch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// program is what a container runs where a shell will not do.
func program(args []string) int {
	time.AfterFunc(time.Minute, func() { os.Exit(99) }) // whatever the test does
	switch args[0] {
	case "serve":
		return code(serve(args[1]))
	case "forbidden":
		return code(forbidden())
	case "become":
		return code(become(args[1]))
	case "inherit":
		return code(inherit(args[1]))
	case "behind":
		return code(behind(args[1]))
	case "escape":
		return code(escape(args[1]))
	case "namespace":
		return code(namespaced())
	case "badly":
		return code(behindBadly(args[1]))
	case "connects":
		return code(connects())
	case "idle":
		fmt.Println("ready")
		select {}
	}
	return 97
}

// serve answers at the address and on a socket where it is, says READY=1 to who
// asks for it, and then "ready".
func serve(address string) error {
	for network, at := range map[string]string{"tcp": address, "unix": "socket"} {
		listener, err := net.Listen(network, at)
		if err != nil {
			return err
		}
		go func() { _ = http.Serve(listener, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) }()
	}
	if path := os.Getenv("NOTIFY_SOCKET"); path != "" {
		conn, err := net.Dial("unixgram", path)
		if err != nil {
			return err
		}
		if _, err := conn.Write([]byte("READY=1\n")); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	select {}
}

// forbidden fails with what became of calls that a seccomp filter may refuse.
func forbidden() error {
	unshare, sethostname := syscall.Unshare(syscall.CLONE_FS), syscall.Sethostname([]byte("x"))
	return errors.New(fmt.Sprint("unshare: ", unshare, ", sethostname: ", sethostname))
}

// another is who become becomes: the nginx of Debian's images.
const another = 101

// become does what servers do that begin as root: it gives a directory of the
// root and its data to another user, becomes that one, and works there. Then it writes to its output by its path.
func become(data string) error {
	err := errors.Join(os.Mkdir("/cache", 0o700), os.Chown("/cache", another, another),
		os.Chown(data, another, another),
		syscall.Setgroups([]int{another}), syscall.Setgid(another), syscall.Setuid(another))
	if err != nil {
		return err
	}
	kept, _ := os.ReadFile(data + "/file")
	fmt.Printf("kept %q\n", kept)
	err = errors.Join(os.WriteFile(data+"/file", []byte("precious"), 0o600), os.MkdirAll("/cache/in/side", 0o700), os.WriteFile("/cache/in/file", nil, 0), os.Chmod("/cache/in", 0))
	if err != nil {
		return err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	output, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(output, "is", os.Getuid(), os.Getgid(), groups); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}
