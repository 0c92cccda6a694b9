// Verdict reads what go test -json says, of one run or of several.
//
//	go test -json ./... | verdict record FILE
//
// keeps the events in FILE and prints what go test would have printed without
// -json: a line for each package, and all that a failed test said.
//
//	verdict sum FILE...
//
// compares runs of the same tests in different places: a test that is skipped in
// one must have run in another. It names those that ran nowhere, and ends with
// go test's own line for each package, run by run. It exits with 1 when a test
// failed or, with GATEWAYD_TEST_ALL=1, ran nowhere.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var errUsage = errors.New("usage: verdict record FILE | verdict sum FILE [FILE]")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "verdict:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "record":
		return record(args[1], os.Stdin, os.Stdout)
	case len(args) > 1 && args[0] == "sum":
		return sumFiles(args[1:], os.Getenv("GATEWAYD_TEST_ALL") == "1", os.Stdout)
	}
	return errUsage
}

func record(path string, in io.Reader, out io.Writer) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = follow(io.TeeReader(in, file), &printer{out: out, said: map[test][]string{}})
	return errors.Join(err, file.Close())
}

func sumFiles(paths []string, all bool, out io.Writer) error {
	total := newSum()
	for _, path := range paths {
		total.packages = append(total.packages, "=== "+strings.TrimSuffix(filepath.Base(path), ".json")+"\n")
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = follow(file, total)
		file.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
	return total.report(all, out)
}
