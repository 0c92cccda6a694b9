package config

import (
	"strings"
	"testing"
)

func TestWithSource(t *testing.T) {
	bundled := Gateway{Name: "web", Bundle: "/b"}
	rooted := Gateway{Name: "web", Rootfs: "/r", Command: []string{"/web"}}
	for _, test := range []struct {
		g              Gateway
		rootfs, bundle string
		says           string
	}{
		{rooted, "/v2", "", ""},
		{rooted, "", "/v2", ""},
		{bundled, "", "/v2", ""},
		{bundled, "/v2", "", "no command"},
		{rooted, "/v2", "/v3", "excludes"},
		{rooted, "", "", "is empty"},
		{rooted, "v2", "", "is relative"},
		{rooted, "/a/../v2", "", "traverses"},
		{rooted, "/", "", "root of the host"},
		{rooted, "/v2\x1b", "", "control character"},
	} {
		g, err := test.g.WithSource(test.rootfs, test.bundle)
		switch {
		case test.says == "" && (err != nil || g.Rootfs != test.rootfs || g.Bundle != test.bundle || g.Source() != "/v2"):
			t.Errorf("%q %q: %+v, %v", test.rootfs, test.bundle, g, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%q %q: %v, want %q", test.rootfs, test.bundle, err, test.says)
		}
	}
}
