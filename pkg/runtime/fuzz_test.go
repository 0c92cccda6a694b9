package runtime

import (
	"bytes"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// fit: one line of bounded length, and nothing that drives a terminal.
func fit(text string, most int) bool {
	return utf8.ValidString(text) && len(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Whatever a runtime logs, what is told of it is fit for a terminal, and a log
// without a level tells nothing.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"level":"error","msg":"red \u001b[31m\nnext"}` + "\n" + `{"level":"ERROR","message":"a","err":"b"}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		w := parseWords(log, strings.Clone)
		for _, text := range []string{w.first, w.last} {
			if !fit(text, maxWords+len(" …")) {
				t.Errorf("%q", text)
			}
		}
		if (w.first == "") != (w.last == "") {
			t.Errorf("half a result: %q, %q", w.first, w.last)
		}
		if again := clean(w.last); again != w.last && len(w.last) <= maxWords {
			t.Errorf("%q becomes %q", w.last, again)
		}
		if !bytes.Contains(bytes.ToLower(log), []byte("level")) && !bytes.Contains(log, []byte(`\u`)) && w.last != "" {
			t.Errorf("%q without a level", w.last)
		}
	})
}

// A pid that is taken is what the whole file says: a part of a number is the pid
// of a stranger.
func FuzzPidFile(f *testing.F) {
	f.Add([]byte("4242\n"))
	path := filepath.Join(f.TempDir(), "pid")
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, os.WriteFile(path, data, 0o600))
		pid, err := readPid(path)
		if err != nil {
			if pid != 0 || !fit(err.Error(), 200) {
				t.Errorf("%d, %q", pid, err)
			}
			return
		}
		if said, err := strconv.Atoi(string(bytes.TrimSpace(data))); pid < 2 || err != nil || said != pid {
			t.Errorf("%d of %q", pid, data)
		}
	})
}

// What a program calls itself is told in the log.
func FuzzVersion(f *testing.F) {
	f.Add([]byte("youki version: 0.7.0\ncommit: x"))
	f.Fuzz(func(t *testing.T, out []byte) {
		name, version, err := parseVersion(out)
		if err != nil {
			if name+version != "" || !fit(err.Error(), 400) {
				t.Errorf("%q %q %q", name, version, err)
			}
			return
		}
		if name == "" || version == "" || !fit(name+version, 2*maxWords) {
			t.Errorf("%q %q", name, version)
		}
	})
}

// Nothing is older than itself or both ways, a pre-release is older than its
// release, and what is no number counts as 0.
func FuzzOlder(f *testing.F) {
	f.Add("0.7.0", "0.7.0")
	f.Add("0.7.0-rc1", "0.7.0")
	f.Add("1.0", "0.99.0")
	digits := regexp.MustCompile(`^[0-9]+$`)
	counts := func(part string) bool {
		n, ok := new(big.Int).SetString(part, 10)
		return ok && digits.MatchString(part) && n.IsUint64()
	}
	plain := func(version string) string {
		parts := strings.Split(version, ".")
		for i, part := range parts {
			if !counts(part) {
				parts[i] = "0"
			}
		}
		return strings.Join(parts, ".")
	}
	f.Fuzz(func(t *testing.T, version, than string) {
		version, pre, _ := strings.Cut(version, "-")
		than = plain(than)
		is, counted := older(version, than), plain(version)
		if is != older(counted, than) {
			t.Errorf("%q is not as old as %q", version, counted)
		}
		if is && older(than, counted) || older(than, than) {
			t.Errorf("%q and %q are each older", version, than)
		}
		if pre != "" && (is || version == than) && !older(version+"-"+pre, than) {
			t.Errorf("%q before %q is not older than %q", pre, version, than)
		}
	})
}

// The name of a process is its own choice and changes nothing of the rest.
func FuzzStat(f *testing.F) {
	f.Add("cat", uint64(7))
	f.Add(") Z 1 1 1 (", uint64(1<<63))
	f.Fuzz(func(t *testing.T, name string, start uint64) {
		rest := fmt.Sprintf(" S 2 3 4 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", start)
		s, err := parseStat(9, []byte("9 ("+name+")"+rest))
		if want := (stat{pid: 9, parent: 2, group: 3, session: 4, state: 'S', start: start}); err != nil || s != want {
			t.Errorf("%+v, %v", s, err)
		}
		for _, cut := range []string{"9 (" + name, name + ") S 2 3", name} {
			if s, err := parseStat(9, []byte(cut)); err != nil && s != (stat{}) {
				t.Errorf("half a result of %q: %+v", cut, s)
			}
		}
	})
}

// However many groups a process has and whatever lines stand between, what is
// read is the whole; and without the lines it is an error.
func FuzzDisposition(f *testing.F) {
	f.Add("Name:\tcat", "5 1", uint64(1), uint64(2), uint16(3))
	f.Fuzz(func(t *testing.T, line, pids string, caught, ignored uint64, groups uint16) {
		for _, foreign := range []string{line, pids} {
			if strings.Contains(foreign, "NSpid") || strings.Contains(foreign, "Sig") || strings.Contains(foreign, "\n") {
				return
			}
		}
		head := line + "\nGroups:\t" + strings.Repeat("4294967294 ", int(groups)) + "\n"
		tail := fmt.Sprintf("NSpid:\t%s\nSigIgn:\t%016x\nSigCgt:\t%016x\n", pids, ignored, caught)
		d, err := parseDisposition(9, []byte(head+tail))
		each := strings.Fields(pids)
		if len(each) == 0 {
			return
		}
		nested := len(each) > 1
		if want := (disposition{nested, nested && each[len(each)-1] == "1", caught, ignored}); err != nil || d != want {
			t.Errorf("%+v, %v, want %+v", d, err, want)
		}
		if d, err := parseDisposition(9, []byte(head)); err == nil || d != (disposition{}) {
			t.Errorf("half a result: %+v, %v", d, err)
		}
	})
}

// A process is ended by what names finds: an id within another word is another's.
func FuzzNames(f *testing.F) {
	f.Add("--root /r web-1-ab", "web-1-ab")
	f.Add("/:youki:web-1-ab/x", "web-1-ab")
	form := regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	f.Fuzz(func(t *testing.T, arg, id string) {
		if !form.MatchString(id) {
			return
		}
		want := regexp.MustCompile(`(^|[^a-zA-Z0-9_-])` + id + `($|[^a-zA-Z0-9_-])`).MatchString(arg)
		if got := names(arg, id); got != want {
			t.Errorf("names(%q, %q) = %v", arg, id, got)
		}
	})
}

// A key is found only at the head of a line of two words.
func FuzzFlatKeyed(f *testing.F) {
	f.Add("low 0\noom_kill 3\n", "oom_kill")
	f.Fuzz(func(t *testing.T, file, key string) {
		value := lookUp([]byte(file), key)
		if value != "" && !strings.Contains(file, key) || len(strings.Fields(value)) > 1 {
			t.Errorf("%q", value)
		}
		if strings.Contains(file, key) || key == "" || len(strings.Fields(key)) != 1 || strings.TrimSpace(key) != key {
			return
		}
		others := key + "_group 5\n" + key + " 1 2\n" + key + "\n"
		if got := lookUp([]byte(file+"\n"+others+key+" 7\n"), key); got != "7" {
			t.Errorf("%q", got)
		}
	})
}
