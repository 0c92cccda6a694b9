package proxy

import (
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
)

func TestProxyHeader(t *testing.T) {
	tcp := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	path := func(s string) string { return hex.EncodeToString([]byte(s)) + strings.Repeat("00", 108-len(s)) }
	const sig = "0d0a0d0a000d0a515549540a"
	for _, test := range []struct {
		name           string
		client, server net.Addr
		local          bool
		want           string
	}{
		{"IPv4", tcp("192.0.2.1:56324"), tcp("198.51.100.2:443"), false,
			sig + "21" + "11" + "000c" + "c0000201" + "c6336402" + "dc04" + "01bb"},
		{"IPv4 on a dual-stack socket", tcp("[::ffff:192.0.2.1]:56324"), tcp("[::ffff:198.51.100.2]:443"), false,
			sig + "21" + "11" + "000c" + "c0000201" + "c6336402" + "dc04" + "01bb"},
		{"IPv6", tcp("[2001:db8::1]:56324"), tcp("[2001:db8::2]:443"), false,
			sig + "21" + "21" + "0024" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "dc04" + "01bb"},
		{"unix without a name", &net.UnixAddr{Net: "unix"}, &net.UnixAddr{Name: "/run/x", Net: "unix"}, false,
			sig + "21" + "31" + "00d8" + path("") + path("/run/x")},
		{"unix, abstract", &net.UnixAddr{Name: "@00001", Net: "unix"}, &net.UnixAddr{Name: "/run/x", Net: "unix"}, false,
			sig + "21" + "31" + "00d8" + path("\x0000001") + path("/run/x")},
		{"our own", tcp("127.0.0.1:1"), tcp("127.0.0.1:2"), true, sig + "20" + "00" + "0000"},
		{"unknown", &net.IPAddr{}, &net.IPAddr{}, false, sig + "20" + "00" + "0000"},
	} {
		if got := hex.EncodeToString(proxyHeader(test.client, test.server, test.local)); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// readHeader takes a header off a connection, and returns it.
func readHeader(t testing.TB, c net.Conn) string {
	b := make([]byte, 16)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Error(err)
		return ""
	}
	b = append(b, make([]byte, int(b[14])<<8|int(b[15]))...)
	if _, err := io.ReadFull(c, b[16:]); err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestHeaderComesFirst(t *testing.T) {
	pairs(t, func(t *testing.T, front, back string) {
		headers := make(chan string, 2)
		p := serve(t, front, Options{ProxyProtocol: true})
		p.Add(1, start(t, back, func(c net.Conn) {
			headers <- readHeader(t, c)
			says("one")(c)
		}).dial())
		p.Switch(1, 100)
		c := p.client(t)
		ask(t, c, "a", "one a")
		if got, want := <-headers, string(proxyHeader(c.LocalAddr(), c.RemoteAddr(), false)); got != want {
			t.Errorf("got %x, want %x", got, want)
		}
		own, err := p.Dial(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		ask(t, own, "a", "one a")
		if got, want := <-headers, string(proxyHeader(nil, nil, true)); got != want {
			t.Errorf("got %x, want %x", got, want)
		}
	})
}
