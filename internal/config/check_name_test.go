package config

import (
	"strings"
	"testing"
)

func TestLengthOfNames(t *testing.T) {
	for what, c := range map[string]struct {
		form nameForm
		most int
	}{
		"gateway": {gatewayName, 32}, "listen": {validListen, 32}, "secret": {validSecret, 64}, "credential": {validCredential, 255},
	} {
		for n := range c.most + 2 {
			if got, want := c.form.fits(strings.Repeat("a", n)), n >= 1 && n <= c.most; got != want {
				t.Errorf("%s with %d bytes: %v, want %v", what, n, got, want)
			}
		}
		if c.form.fits("a\n") || c.form.fits("a/b") {
			t.Errorf("%s: a newline or a slash fits", what)
		}
	}
}
