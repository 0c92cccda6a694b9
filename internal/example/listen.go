package example

import (
	"fmt"
	"net"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// listen returns the inherited sockets or, where there is none, one of its own.
func listen(address string) ([]net.Listener, error) {
	inherited, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take over sockets: %w", err)
	}
	var listeners []net.Listener
	for _, l := range inherited {
		if l != nil { // a descriptor that is no stream socket
			listeners = append(listeners, l)
		}
	}
	if len(listeners) > 0 {
		return listeners, nil
	}
	if address == "" {
		address = Address
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err // says "listen tcp 127.0.0.1:8090" itself
	}
	return []net.Listener{l}, nil
}
