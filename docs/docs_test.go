// Package docs_test holds the documents to the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each claim of the threat model names the tests that hold it: they exist.
func TestThreatModelNamesTests(t *testing.T) {
	text, err := os.ReadFile("threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 30 {
		t.Fatalf("only %d tests are named", len(named))
	}
	tests := allTests(t)
	for _, match := range named {
		if !tests[match[1]] {
			t.Errorf("%s is named, and no such test exists", match[1])
		}
	}
	for _, row := range claims(string(text)) {
		if !strings.Contains(row, "`Test") && !strings.Contains(row, "`Fuzz") {
			t.Errorf("claim without a test: %s", row)
		}
	}
}

// Each parser of what comes from outside has its row, with targets that exist, and no
// target is without one.
func TestFuzzTargetsAreListed(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| what comes from outside |")
	table, _, _ = strings.Cut(table, "\n\n")
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile("`(Fuzz[A-Za-z0-9]+)`").FindAllStringSubmatch(table, -1) {
		listed[match[1]] = true
	}
	tests := allTests(t)
	for name := range listed {
		if !tests[name] {
			t.Errorf("%s is listed, and no such target exists", name)
		}
	}
	for name := range tests {
		if strings.HasPrefix(name, "Fuzz") && !listed[name] {
			t.Errorf("%s is not among what comes from outside", name)
		}
	}
}

// claims returns the rows of the tables that are headed "claim | held by".
func claims(text string) []string {
	var rows []string
	in := false
	for _, line := range strings.Split(text, "\n") {
		switch {
		case line == "| claim | held by |":
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "|---"):
			rows = append(rows, line)
		}
	}
	return rows
}

func allTests(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, match := range declared.FindAllStringSubmatch(string(code), -1) {
			tests[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
