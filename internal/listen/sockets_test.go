package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// What nobody takes is given up, also in the store's copies, and a path with it.
func TestCloseRestGivesAddressesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, address := range []string{"127.0.0.1:0", "unix:" + path} {
		s := newStore(t)
		p := begin(t, address, kept(s, nil))
		p.Leave()
		s.sockets(t).CloseRest()
		network, at := "tcp", p.Address()
		if p.at.path != "" {
			network, at = "unix", path
		}
		if c, err := net.Dial(network, at); err == nil {
			c.Close()
			t.Errorf("%s is listened on", at)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path is left: %v", err)
	}
}
