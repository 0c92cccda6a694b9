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
