package config

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	keys := gatewayKeys.names()
	for word, want := range map[string]string{
		"rootfs": "rootfs", "RootFS": "rootfs", "rotfs": "rootfs", "comand": "command", "mounts": "mount",
		"isolatoin": "isolation", "restar": "restart", "": "", "x": "", "image": "",
		strings.Repeat("rootfs", 1000): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest to %.20q is %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1},
		{"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"ca", "abc", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
