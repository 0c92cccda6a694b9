package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "accept the fault texts as they are now")

// TestFaults compares all faults of each testdata/faults/*.toml, as a user
// reads them, with the .golden file beside it.
func TestFaults(t *testing.T) {
	for _, path := range glob(t, "testdata/faults/*.toml") {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(path), data)
			if err == nil {
				t.Fatal("no fault was found")
			}
			checkFaults(t, data, err)
			compareGolden(t, strings.TrimSuffix(path, ".toml")+".golden", err.Error()+"\n")
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the faults are others (-want +got); go test -update accepts them:\n%s", diff)
	}
}

// checkFaults holds what is true for the faults of every text: they are Faults,
// they lie in the text and in its order, they are lines of printable text.
func checkFaults(t *testing.T, data []byte, err error) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("error is no Faults: %v", err)
	}
	lines := strings.Split(string(data), "\n")
	previous := Fault{Line: 1, Column: 1}
	for _, f := range faults {
		if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len(lines[f.Line-1])+1 {
			t.Errorf("fault lies outside the file: %q", f.Error())
		}
		if f.Line < previous.Line || f.Line == previous.Line && f.Column < previous.Column {
			t.Errorf("fault is out of order: %q after %q", f.Error(), previous.Error())
		}
		if f.Problem == "" || strings.ContainsFunc(f.Error(), unprintable) {
			t.Errorf("fault is not one line of printable text: %q", f.Error())
		}
		previous = f
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return paths
}

func TestFaultsAreErrors(t *testing.T) {
	_, err := Parse("f.toml", []byte("log_level = 1\nruntime = 2\n[gateway.web]\nbundle = '/b'\n"))
	var first Fault
	if !errors.As(err, &first) {
		t.Fatalf("no Fault in %v", err)
	}
	want := Fault{File: "f.toml", Line: 1, Column: 13, Key: "log_level", Problem: "want a string, got an integer"}
	if first != want {
		t.Errorf("first fault is %+v, want %+v", first, want)
	}
}

func TestFileNameCannotForgeLines(t *testing.T) {
	got := Fault{File: "a\nb.toml", Line: 1, Column: 2, Problem: "p"}.Error()
	if want := `"a\nb.toml":1:2: p`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
