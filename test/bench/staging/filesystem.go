package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSystem says on what a directory lies: type and options.
func fileSystem(dir string) string {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return "unknown"
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	device := fmt.Sprintf("%d:%d", unix.Major(s.Dev), unix.Minor(s.Dev))
	for line := range strings.Lines(string(text)) {
		mount, super, ok := strings.Cut(line, " - ")
		fields, more := strings.Fields(mount), strings.Fields(super)
		if ok && len(fields) > 5 && len(more) > 1 && fields[2] == device {
			return fmt.Sprintf("%s (%s)", more[0], fields[5])
		}
	}
	return "unknown"
}
