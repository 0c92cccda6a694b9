package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// oldestYouki is the first version with rootless cgroup v2 and without
// CVE-2025-62161 and CVE-2025-62596 (container escapes by masked paths).
const oldestYouki = "0.7.0"

// versionTimeout bounds one --version: a runtime that hangs there hangs always.
const versionTimeout = 5 * time.Second

// trusted refuses a program that somebody other than root or this user could
// have put there or could change: it runs with all that the caller may do.
func trusted(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if info.Mode().Perm()&0o111 == 0 {
		return errors.New("not executable")
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("mode %#o lets others write it (chmod go-w)", mode)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return errors.New("belongs neither to root nor to this user")
	}
	return nil
}

// maxAsked: a program that is killed while it is asked is not thereby unusable,
// and what would be taken in its place stays for the life of this process.
const maxAsked = 3

// askVersion runs path --version and reads its first line: "youki version:
// 0.7.0", "crun version 1.8.1", "runc version 1.1.5+ds1".
func askVersion(ctx context.Context, path string) (name, version string, err error) {
	for range maxAsked {
		exit := new(exec.ExitError)
		if name, version, err = askOnce(ctx, path); !errors.As(err, &exit) || exit.Exited() {
			break
		}
	}
	return name, version, err
}

func askOnce(ctx context.Context, path string) (name, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = EnvironmentFor(os.Environ())
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a child of it may hold the pipe open
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", "", fmt.Errorf("ask --version: %w", ctx.Err())
	}
	if err != nil {
		return "", "", fmt.Errorf("ask --version: %w", err)
	}
	return parseVersion(out)
}

func parseVersion(out []byte) (name, version string, err error) {
	first, _, _ := bytes.Cut(out, []byte("\n"))
	words := strings.Fields(string(first))
	strange := func(word string) bool { return clean(word) != word } // it is told in the log
	if len(words) < 3 || strings.TrimSuffix(words[1], ":") != "version" || slices.ContainsFunc(words[:3], strange) {
		return "", "", fmt.Errorf("ask --version: %.60q names no version", first)
	}
	return words[0], words[2], nil
}

// older compares dotted versions; a pre-release ("0.7.0-rc1") is older than its
// release. What is no number counts as 0: an unknown version is not trusted.
func older(version, than string) bool {
	version, pre, isPre := strings.Cut(version, "-")
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range b {
		x := uint64(0)
		if i < len(a) {
			x = count(a[i])
		}
		if y := count(b[i]); x != y {
			return x < y
		}
	}
	return isPre && pre != ""
}

// count is 0 for what is no number, or none that fits.
func count(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
