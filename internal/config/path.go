package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Path finds the configuration: flag (the value of --config) or
// $GATEWAYD_CONFIG if one is set, whether there is such a file or not; else the
// first that exists of $XDG_CONFIG_HOME/gatewayd/gatewayd.toml (by default
// below ~/.config) and /etc/gatewayd/gatewayd.toml. The error wraps
// fs.ErrNotExist and lists the places.
func Path(flag string, getenv func(string) string) (string, error) {
	for _, asked := range []string{flag, getenv("GATEWAYD_CONFIG")} {
		if asked != "" {
			return asked, nil
		}
	}
	places := places(getenv)
	for _, place := range places {
		// A file that is there and cannot be read is chosen, too: the
		// next place would be somebody else's intention.
		if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
			return place, nil
		}
	}
	return "", fmt.Errorf("find configuration: %w: none of %s (write one, or name it by --config or $GATEWAYD_CONFIG)",
		fs.ErrNotExist, strings.Join(places, ", "))
}

func places(getenv func(string) string) []string {
	var list []string
	if dir := configHome(getenv); dir != "" {
		list = append(list, filepath.Join(dir, "gatewayd", "gatewayd.toml"))
	}
	return append(list, "/etc/gatewayd/gatewayd.toml")
}

// configHome follows the XDG Base Directory Specification, by which a relative
// path is ignored.
func configHome(getenv func(string) string) string {
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config")
	}
	return ""
}
