package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// toolDirs are where a system has its programs with the set-user-ID bit. The
// user's PATH has no say in which one is run. The first is NixOS's.
var toolDirs = []string{"/run/wrappers/bin", "/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"}

// toolTimeout bounds newuidmap and newgidmap: they may ask a directory service.
const toolTimeout = 20 * time.Second

// mapIDs has newuidmap and newgidmap map the ids of the process pid, and
// believes neither. A single id needs nobody's leave.
func (n namespace) mapIDs(ctx context.Context, pid int) error {
	if n.ids.Single() {
		return mapOwn(pid, n.ids)
	}
	for _, m := range []struct {
		tool, file string
		ranges     []IDRange
	}{{"newuidmap", "uid_map", n.ids.UIDs}, {"newgidmap", "gid_map", n.ids.GIDs}} {
		path, err := findTool(n.tools, m.tool)
		if err != nil {
			return err
		}
		if err := runTool(ctx, path, pid, m.ranges); err != nil {
			return err
		}
		if err := provenMap(pid, m.file, m.ranges); err != nil {
			return fmt.Errorf("%w: %s ended well, but %w", ErrNoRange, path, err)
		}
	}
	return nil
}

// mapOwn maps what is our own id, which anybody may who gives setgroups(2) up
// for the namespace (user_namespaces(7)).
func mapOwn(pid int, ids IDMap) error {
	for _, m := range []struct{ file, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("0 %d 1\n", ids.UIDs[0].Host)},
		{"gid_map", fmt.Sprintf("0 %d 1\n", ids.GIDs[0].Host)},
	} {
		if err := os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), m.file), []byte(m.text), 0); err != nil {
			return fmt.Errorf("map ids: %w", err)
		}
	}
	return nil
}

func findTool(dirs []string, name string) (string, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s is in none of %s: install the package uidmap (shadow-utils on Fedora and its kin, shadow on Arch)",
		ErrNoRange, name, strings.Join(dirs, ", "))
}

func runTool(ctx context.Context, path string, pid int, ranges []IDRange) error {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	args := []string{strconv.Itoa(pid)}
	for _, r := range ranges {
		for _, number := range []uint32{r.Container, r.Host, r.Size} {
			args = append(args, strconv.FormatUint(uint64(number), 10))
		}
	}
	problem := bounded{most: maxAnswer}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &problem, &problem
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	err := cmd.Run()
	step.Done("ids-mapped")
	exit := new(exec.ExitError)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", path, ctx.Err())
	case errors.As(err, &exit) && !exit.Exited(): // killed: that says nothing of the user's rights
		return fmt.Errorf("%s: %w%s", path, err, lastWords(problem.buf.Bytes()))
	case err != nil:
		return fmt.Errorf("%w: %s: %w%s: %s", ErrNoRange, path, err, lastWords(problem.buf.Bytes()), toolAdvice(path))
	}
	return nil
}

// provenMap compares what the kernel has with what was asked for. It may have
// sorted it.
func provenMap(pid int, file string, want []IDRange) error {
	path := filepath.Join("/proc", strconv.Itoa(pid), file)
	have, err := readMap(path)
	if err != nil {
		return err
	}
	if !slices.Equal(sorted(have), sorted(want)) {
		return fmt.Errorf("%s has %v and not %v", path, have, want)
	}
	return nil
}

func sorted(ranges []IDRange) []IDRange {
	return slices.SortedFunc(slices.Values(ranges), func(a, b IDRange) int { return cmp.Compare(a.Container, b.Container) })
}

// readMap reads a file such as /proc/self/uid_map.
func readMap(path string) ([]IDRange, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ranges, err := parseMap(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return ranges, nil
}

func parseMap(data []byte) (ranges []IDRange, err error) {
	for text := range bytes.Lines(data) {
		var r IDRange
		if _, err := fmt.Sscan(string(text), &r.Container, &r.Host, &r.Size); err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}
