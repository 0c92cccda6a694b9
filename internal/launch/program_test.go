package launch

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// program is what a container runs where a shell will not do.
func program(args []string) int {
	time.AfterFunc(time.Minute, func() { os.Exit(99) }) // whatever the test does
	if len(args) != 2 || args[0] != "serve" {
		return 97
	}
	return code(serve(args[1]))
}

// serve answers at the address and on a socket in its tree, says READY=1 to who
// asks for it, and then "ready".
func serve(address string) error {
	for network, at := range map[string]string{"tcp": address, "unix": "/tmp/socket"} {
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

func daemon(args []string) int { return 97 }
