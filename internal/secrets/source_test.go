package secrets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
)

const canary = "c4n4ry-in-a-coal-mine"

func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func secret(kind config.SecretKind, name string, argv ...string) config.Secret {
	return config.Secret{Name: "token", Timeout: time.Minute, Source: config.SecretSource{Kind: kind, Name: name, Argv: argv}}
}

func sources(variables ...string) Sources {
	return Sources{Lookup: func(name string) (string, bool) {
		for i := 0; i < len(variables); i += 2 {
			if variables[i] == name {
				return variables[i+1], true
			}
		}
		return "", false
	}}
}

// write makes a file of that mode, whatever the umask is.
func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode))
	return path
}

// refused reads a secret and returns why that is not done, which never holds the
// value.
func refused(t *testing.T, from Sources, s config.Secret, kind error) string {
	t.Helper()
	value, err := from.Read(t.Context(), s)
	if err == nil {
		t.Fatalf("%s gives %q", Origin(s.Source), value)
	}
	if errors.Is(err, ErrUnfit) != errors.Is(kind, ErrUnfit) || errors.Is(err, ErrAbsent) != errors.Is(kind, ErrAbsent) {
		t.Errorf("%v: want it to be %v", err, kind)
	}
	if strings.Contains(err.Error(), canary) || !strings.HasPrefix(err.Error(), "read secret token from ") {
		t.Errorf("error %q", err)
	}
	return err.Error()
}

func reads(t *testing.T, from Sources, s config.Secret, want string) {
	t.Helper()
	value, err := from.Read(t.Context(), s)
	if err != nil || string(value) != want {
		t.Errorf("%s gives %q, %v, want %q", Origin(s.Source), value, err, want)
	}
}

func TestFile(t *testing.T) {
	for _, mode := range []fs.FileMode{0o400, 0o600} {
		reads(t, sources(), secret(config.SecretFile, write(t, canary+"\n", mode)), canary+"\n")
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601} {
		refused(t, sources(), secret(config.SecretFile, write(t, canary, mode)), ErrUnfit)
	}
	refused(t, sources(), secret(config.SecretFile, filepath.Join(t.TempDir(), "missing")), ErrAbsent)
	refused(t, sources(), secret(config.SecretFile, t.TempDir()), ErrUnfit)
}

func TestFileThatIsALink(t *testing.T) {
	path := write(t, canary, 0o400)
	must(t, os.Symlink(path, path+".link"), os.Symlink(filepath.Base(path), path+".short"))
	for _, link := range []string{".link", ".short"} {
		refused(t, sources(), secret(config.SecretFile, path+link), ErrUnfit)
	}
}

// A FIFO would hold a launch up until somebody writes.
func TestFileThatIsAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	must(t, unix.Mkfifo(path, 0o400))
	refused(t, sources(), secret(config.SecretFile, path), ErrUnfit)
}

// info is a file of somebody.
type info struct {
	os.FileInfo
	uid  uint32
	mode fs.FileMode
}

func (i info) Mode() fs.FileMode { return i.mode }
func (i info) Sys() any          { return &syscall.Stat_t{Uid: i.uid} }

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		uid  uint32
		mode fs.FileMode
		euid int
		fits bool
	}{
		{1001, 0o400, 1001, true},
		{0, 0o400, 1001, true},
		{0, 0o440, 1001, true}, // an ACL of systemd's looks like this, too
		{0, 0o460, 1001, false},
		{0, 0o444, 1001, false},
		{0, 0o440, 0, false},
		{1002, 0o400, 1001, false},
		{1002, 0o400, 0, false},
		{1001, fs.ModeDir | 0o400, 1001, false},
		{1001, fs.ModeDevice | 0o400, 1001, false},
	} {
		if err := private(info{uid: c.uid, mode: c.mode}, c.euid); (err == nil) != c.fits {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCredential(t *testing.T) {
	path := write(t, canary, 0o400)
	from := sources(config.CredentialsVariable, filepath.Dir(path))
	reads(t, from, secret(config.SecretCredential, "secret"), canary)
	refused(t, from, secret(config.SecretCredential, "other"), ErrAbsent)
	for _, from := range []Sources{sources(), sources(config.CredentialsVariable, "relative")} {
		if why := refused(t, from, secret(config.SecretCredential, "secret"), ErrAbsent); !strings.Contains(why, "LoadCredential=") {
			t.Errorf("%q does not say what to do", why)
		}
	}
}

func TestVariable(t *testing.T) {
	from := sources("TOKEN", canary, "BLANK", " \n")
	reads(t, from, secret(config.SecretEnv, "TOKEN"), canary)
	refused(t, from, secret(config.SecretEnv, "BLANK"), ErrAbsent)
	refused(t, from, secret(config.SecretEnv, "OTHER"), ErrAbsent)
}

func TestSizes(t *testing.T) {
	for size, fits := range map[int]bool{0: false, MinSize - 1: false, MinSize: true, MaxSize: true, MaxSize + 1: false, 4 * MaxSize: false} {
		s := secret(config.SecretFile, write(t, strings.Repeat("x", size), 0o400))
		if value, err := sources().Read(t.Context(), s); (err == nil) != fits || fits && len(value) != size {
			t.Errorf("%d bytes: %d read, %v", size, len(value), err)
		}
	}
	refused(t, sources(), secret(config.SecretFile, write(t, " \n\n\n\n\n\n", 0o400)), ErrUnfit)
	refused(t, sources(), secret(config.SecretFile, write(t, "12345\r\n", 0o400)), ErrUnfit) // the end of its line is none of it
	s := secret(config.SecretFile, write(t, canary+"\x00", 0o400))
	reads(t, sources(), s, canary+"\x00")
	s.Variable = "TOKEN"
	refused(t, sources(), s, ErrUnfit)
}

func TestLine(t *testing.T) {
	for text, want := range map[string]string{"a\n": "a", "a\r\n": "a", "a\n\n": "a\n", "a": "a", "\n": "", "a\nb": "a\nb"} {
		if got := string(Line([]byte(text))); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
