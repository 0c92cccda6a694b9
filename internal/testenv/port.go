package testenv

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports that are handed out lie below the kernel's own (ip_local_port_range,
// 32768 and above unless somebody has changed it): one of those may become the
// other end of somebody's connection, and nobody can listen at it then.
const firstPort, lastPort = 10000, 32000

var handedOut struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort is a TCP port of 127.0.0.1 that nobody listens at, another one with
// each call.
func FreePort() (string, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.ports == nil {
		handedOut.ports = make(map[int]bool)
	}
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !handedOut.ports[port] && free(port) {
			handedOut.ports[port] = true
			return strconv.Itoa(port), nil
		}
	}
	return "", errors.New("no port is free")
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	return err == nil && l.Close() == nil
}
