//go:build man

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"
)

// main of a build with the tag "man" writes the manual pages to the directory
// that is its argument. It is no command of gatewayd: the library that writes
// them initialises a markdown parser, which each start of gatewayd would pay
// for, those of hooks and of the example gateway too.
func main() {
	if err := writeManual(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "write manual pages:", err)
		os.Exit(exitFailure)
	}
}

func writeManual(args []string) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("usage: go run -tags man ./cmd/gatewayd DIRECTORY")}
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	root := rootCommand()
	root.DisableAutoGenTag = true // it would put the day of the build into every page
	header := &doc.GenManHeader{Section: "1", Source: "gatewayd " + version, Manual: "gatewayd"}
	return doc.GenManTree(root, header, args[0])
}
