package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bird is a canary: a value that must be nowhere, in the forms in which it is hunted.
type bird struct {
	value string
	forms map[string]string
}

func newBird(value string) bird {
	c := bird{value, map[string]string{}}
	quoted, _ := json.Marshal(value)
	reversed := []byte(value)
	slices.Reverse(reversed)
	for how, form := range map[string]string{
		"plain": value, "JSON": inside(string(quoted)), "Go": inside(strconv.QuoteToASCII(value)), "reversed": string(reversed),
		"URL": url.QueryEscape(value), "path": url.PathEscape(value), "hex": hex.EncodeToString([]byte(value)),
	} {
		c.forms[how] = form
	}
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), value...))
		c.forms["base64 at "+strconv.Itoa(before)] = encoded[(before*8+5)/6 : (before+len(value))*8/6] // whose bits are all the value's
	}
	return c
}

func inside(quoted string) string { return quoted[1 : len(quoted)-1] }

// in returns the forms in which the canary is in text. What is wrapped, spread or in
// other letters is made plain before.
func (c bird) in(text []byte) (found []string) {
	for how, form := range c.forms {
		switch {
		case how == "hex":
			text := bytes.ToLower(strip(text, " :\r\n\t"))
			if bytes.Contains(text, []byte(form)) {
				found = append(found, how)
			}
		case strings.HasPrefix(how, "base64"):
			text := bytes.ReplaceAll(bytes.ReplaceAll(strip(text, "\r\n"), []byte("-"), []byte("+")), []byte("_"), []byte("/"))
			if bytes.Contains(text, []byte(form)) {
				found = append(found, how)
			}
		case bytes.Contains(text, []byte(form)):
			found = append(found, how)
		}
	}
	return found
}

func strip(text []byte, what string) []byte {
	return bytes.Map(func(r rune) rune {
		if strings.ContainsRune(what, r) {
			return -1
		}
		return r
	}, text)
}

// flock are the secrets of a test, and what was found of them.
type flock struct {
	birds []bird
	found []string
}

// hunt searches a text that comes from somewhere.
func (f *flock) hunt(where string, text []byte) {
	for _, c := range f.birds {
		for _, how := range c.in(text) {
			f.found = append(f.found, fmt.Sprintf("%s: %s", where, how))
		}
	}
}

// files searches every file below a directory, and its name. What goes away
// meanwhile was there for its time.
func (f *flock) files(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // gone, or the container's own
		}
		f.hunt("name "+path, []byte(path))
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		f.hunt(path, data)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// processes searches what everybody of the same user may see of gatewayd and the
// runtime; a program itself has the variables that it was given.
func (f *flock) processes(i *instance) {
	for _, p := range i.all() {
		found := f.process(p)
		for end := time.Now().Add(wiped); len(found) > 0 && words(p.pid, programs.gatewayd+" ") && time.Now().Before(end); found = f.process(p) {
			time.Sleep(10 * time.Millisecond)
		}
		f.found = append(f.found, found...)
	}
}

// wiped is by when a gatewayd has come to wipe the environment that systemd has
// started it with.
const wiped = time.Second

func (f *flock) process(p process) []string {
	seen := &flock{birds: f.birds}
	for _, file := range []string{"environ", "cmdline", "comm"} {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, file)) // gone, or closed to us: it shows nothing
		if words(p.pid, "/gateway ") {                                  // asked afterwards: it may have become the program
			return nil
		}
		seen.hunt(fmt.Sprintf("%s of %v", file, p), data)
	}
	return seen.found
}

// words says whether the command line of a process begins so.
func words(pid int, prefix string) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.HasPrefix(strings.ReplaceAll(string(data), "\x00", " "), prefix)
}

// journal searches all records of the instance, as whoever reads them has them.
func (f *flock) journal(i *instance) {
	for _, r := range i.records() {
		for name, value := range r {
			f.hunt("journal "+name, []byte(fmt.Sprint(value)))
		}
		f.hunt("journal MESSAGE", []byte(r.message()))
	}
}
