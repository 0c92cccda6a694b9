package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func proveIDs(ids IDMap) error {
	return CheckIDs(context.Background(), helperOptions().Helper, ids)
}

func TestCheckIDs(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	must(t, proveIDs(rangeIDs(t)))
}

// Every line that uid_map may have is asked for and found again, sorted or not.
func TestCheckIDsOfManyRanges(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	ids := rangeIDs(t)
	sub, many := ids.UIDs[1].Host, ids.UIDs[:1:1]
	for i := range uint32(maxLines - 1) {
		many = append(many, IDRange{Container: 5000 - 7*i, Host: sub + 3*i, Size: 2})
	}
	must(t, proveIDs(IDMap{UIDs: many, GIDs: ids.GIDs}))
}

// Root writes the mapping itself: no program is asked, and its own id is none of
// the container's.
func TestCheckIDsAsRoot(t *testing.T) {
	testenv.NeedRoot(t)
	ranges := []IDRange{{Host: 100000, Size: 1000}, {Container: 1000, Host: 300000, Size: 7}}
	ids := IDMap{UIDs: ranges, GIDs: ranges}
	n := namespace{helper: helperOptions().Helper, ids: ids}
	have, err := ask[inside](context.Background(), n, "check", noOptions{})
	must(t, err, have.differs(ids))
}

func TestCheckIDsNeedsNoProofOfASingleOne(t *testing.T) {
	must(t, CheckIDs(context.Background(), nil, SingleID(1, 2)))
}

func TestCheckIDsThatAreAnothersAreRefused(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	for _, of := range []string{"uid", "gid"} {
		ids := rangeIDs(t)
		others := []IDRange{ids.UIDs[0], {Container: 1, Host: 77000, Size: 10}}
		if of == "gid" {
			ids.GIDs = others
		} else {
			ids.UIDs = others
		}
		err := proveIDs(ids)
		if !errors.Is(err, ErrNoRange) || !told(err, "new"+of+"map", "not allowed", "/etc/subuid") {
			t.Errorf("%s: error %v", of, err)
		}
	}
}

func TestCheckIDsByToolsThatFail(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	for name, c := range map[string]struct {
		script string
		words  []string
	}{
		"missing":   {"", []string{"newuidmap is in none of", "package uidmap"}},
		"refuses":   {"echo own words >&2; exit 1", []string{"own words", "exit status 1"}},
		"powerless": {"exit 1", []string{"set-user-ID bit"}},
		"lies":      {"exit 0", []string{"ended well, but", "uid_map has []"}},
		"dies":      {"kill -9 $$", []string{"signal: killed"}},
		"half":      {`exec /usr/bin/newuidmap "$1" "$2" "$3" "$4"`, []string{"ended well, but", "uid_map has [{0"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.script != "" {
				must(t, os.WriteFile(filepath.Join(dir, "newuidmap"), []byte("#!/bin/sh\n"+c.script), 0o755))
			}
			n := namespace{helper: helperOptions().Helper, ids: rangeIDs(t), tools: []string{dir}}
			_, err := ask[inside](context.Background(), n, "check", noOptions{})
			// One that was killed says nothing of the user's rights.
			if errors.Is(err, ErrNoRange) != (name != "dies") || !told(err, c.words...) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// The user's PATH does not say which newuidmap is run.
func TestCheckIDsIgnoresThePath(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "newuidmap"), []byte("#!/bin/sh\nexit 1"), 0o755))
	t.Setenv("PATH", dir)
	must(t, proveIDs(rangeIDs(t)))
}

func TestCheckIDsUnderNoNewPrivileges(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	if os.Getenv("BUNDLE_NO_NEW_PRIVS") == "" {
		cmd := exec.Command("setpriv", "--no-new-privs", "/proc/self/exe")
		cmd.Args = []string{"setpriv", "--no-new-privs", executable(t), "-test.run=^" + t.Name() + "$", "-test.v"}
		cmd.Env = append(os.Environ(), "BUNDLE_NO_NEW_PRIVS=1", innerEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := proveIDs(rangeIDs(t)); !errors.Is(err, ErrNoRange) || !told(err, "NoNewPrivileges=") {
		t.Errorf("error %v", err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

// A namespace of its own has a limit of its own for those in it.
func TestCheckIDsWhereNoNamespaceIsLeft(t *testing.T) {
	if os.Getenv(innerEnv) == "" {
		rerunBehind(t, &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}, os.Getuid(), "/bin/sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"`, "sh")
		return
	}
	several := []IDRange{{Size: 1}, {Container: 1, Host: 1, Size: 1}}
	err := proveIDs(IDMap{UIDs: several, GIDs: several})
	if !errors.Is(err, unix.ENOSPC) || !told(err, "user.max_user_namespaces (it is 0)") {
		t.Errorf("error %v", err)
	}
}

// told reports whether err says all words.
func told(err error, words ...string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(fmt.Sprint(err), w) })
}
