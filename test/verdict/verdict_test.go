package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	start = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n" +
		`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}` + "\n"
	reason  = `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: needs root\n"}` + "\n"
	marker  = `{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}` + "\n"
	skip    = `{"Action":"skip","Package":"p","Test":"TestA"}` + "\n"
	pass    = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	fail    = `{"Action":"fail","Package":"p","Test":"TestA"}` + "\n"
	ok      = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n"
	failed  = `{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"
	noBuild = `{"ImportPath":"p","Action":"build-output","Output":"a.go:1: undefined: x\n"}` + "\n" + failed
)

func TestSum(t *testing.T) {
	for _, c := range []struct {
		name string
		runs []string
		all  bool
		want error
		says string
	}{
		{"all ran", []string{start + pass + ok}, true, nil, "1 tests passed, 0 failed, 0 ran nowhere"},
		{"caught up on", []string{start + reason + marker + skip + ok, start + pass + ok}, true, nil, "0 ran nowhere"},
		{"ran nowhere", []string{start + reason + marker + skip + ok, start + reason + marker + skip + ok}, true, errSkipped,
			"ran nowhere: p TestA: a_test.go:7: needs root"},
		{"may be skipped", []string{start + reason + marker + skip + ok}, false, nil, "1 ran nowhere"},
		{"failed in one run", []string{start + fail + failed, start + pass + ok}, false, errFailed, "0 tests passed, 1 failed"},
		{"did not build", []string{noBuild}, false, errFailed, "FAIL\tp\t0.1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if err := sumFiles(write(t, c.runs), c.all, &out); !errors.Is(err, c.want) {
				t.Errorf("got error %v, want %v", err, c.want)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("want %q in:\n%s", c.says, out.String())
			}
			if !strings.HasSuffix(out.String(), "\tp\t0.1s\n") {
				t.Errorf("does not end with go test's own line:\n%s", out.String())
			}
		})
	}
}

func write(t *testing.T, runs []string) []string {
	var paths []string
	for _, run := range runs {
		path := filepath.Join(t.TempDir(), "run.json")
		if err := os.WriteFile(path, []byte(run), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestRecord(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a pass is one line", start + reason + pass + ok, "ok  \tp\t0.1s\n"},
		{"a failure says all", start + reason + fail + failed, "    a_test.go:7: needs root\nFAIL\tp\t0.1s\n"},
		{"cut off by a panic", start + reason + failed, "FAIL\tp\t0.1s\n    a_test.go:7: needs root\n"},
		{"a compiler's words", noBuild, "a.go:1: undefined: x\nFAIL\tp\t0.1s\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			path := filepath.Join(t.TempDir(), "run.json")
			if err := record(path, strings.NewReader(c.in), &out); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("got %q, want %q", out.String(), c.want)
			}
			if kept, err := os.ReadFile(path); err != nil || string(kept) != c.in {
				t.Errorf("kept %q, %v", kept, err)
			}
		})
	}
}
