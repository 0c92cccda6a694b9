package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// all is a runtime all of whose words are shown.
var all = &Runtime{shown: strings.Clone}

func TestWords(t *testing.T) {
	const youki = `{"level":"ERROR","message":"failed to prepare rootfs","err":"Mount(ENODEV)"}
{"level":"ERROR","message":"error in executing command: failed to create container: no rootfs\n\nStack backtrace:\n   0: <unknown>"}
`
	for name, c := range map[string]struct{ log, want string }{
		"youki":   {youki, "failed to create container: no rootfs (failed to prepare rootfs: Mount(ENODEV))"},
		"runc":    {`{"level":"error","msg":"no such device","time":"x"}`, "no such device"},
		"twice":   {`{"level":"error","msg":"a"}` + "\n" + `{"level":"error","msg":"b: a"}`, "b: a"},
		"info":    {`{"level":"info","msg":"all is well"}`, ""},
		"empty":   {"", ""},
		"garbage": {"\x00\xff{\n[1]\nnull\n", ""},
		"control": {`{"level":"error","msg":"red \u001b[31m\nnext"}`, "red \uFFFD[31m next"},
		"long":    {`{"level":"error","msg":"` + strings.Repeat("é", 2000) + `"}`, strings.Repeat("é", 512) + " …"},
		"endless": {strings.Repeat("x", 1<<20) + "\n" + `{"level":"error","msg":"last"}`, "last"},
	} {
		path := filepath.Join(t.TempDir(), "log")
		must(t, os.WriteFile(path, []byte(c.log), 0o600))
		if got := all.readWords(path).String(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := all.readWords("/nowhere").String(); got != "" {
		t.Errorf("no log: %q", got)
	}
}

// What may not be told is taken out before words are shortened, or nobody would
// recognise it.
func TestWordsAreShortenedLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", maxWords-4)
	must(t, os.WriteFile(path, []byte(`{"level":"error","msg":"`+long+`canary\nof two lines"}`), 0o600))
	r := &Runtime{shown: func(words string) string { return strings.ReplaceAll(words, "canary\nof two lines", "?") }}
	if got := r.readWords(path).String(); got != long+"?" {
		t.Errorf("%q", got)
	}
}
