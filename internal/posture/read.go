package posture

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Errors of Verify that say something of the process and nothing of its isolation.
var (
	// ErrNotBegun: the runtime has not become the program yet.
	ErrNotBegun = errors.New("the program has not begun")
	// ErrEnded: the process is gone, or going.
	ErrEnded = errors.New("the process has ended")
)

// facts are what the kernel shows of a process.
type facts struct {
	status
	uidMap, gidMap []Range
	setgroups      string
	spaces         map[string]File
	mounts         []*mountinfo.Info
	byID           map[int]*mountinfo.Info
	cgroup         string
	limits         map[string]uint64
}

// process is /proc/PID. The pid has to stay the process's own, as that of a child
// does until it is reaped.
type process int

func (p process) path(name string) string { return filepath.Join("/proc", strconv.Itoa(int(p)), name) }

func (p process) read(name string) ([]byte, error) { return os.ReadFile(p.path(name)) }

func newFacts() facts { return facts{byID: map[int]*mountinfo.Info{}, spaces: map[string]File{}} }

// facts are read alike of the container's process and of our own.
func (p process) facts() (facts, error) {
	f := newFacts()
	parse := func(name string, take func([]byte) error) func() error {
		return func() error {
			data, err := p.read(name)
			if err == nil {
				err = take(data)
			}
			return err
		}
	}
	for _, step := range []func() error{
		parse("status", func(data []byte) (err error) { f.status, err = parseStatus(data); return err }),
		parse("uid_map", func(data []byte) (err error) { f.uidMap, err = parseRanges(data); return err }),
		parse("gid_map", func(data []byte) (err error) { f.gidMap, err = parseRanges(data); return err }),
		parse("setgroups", func(data []byte) error { f.setgroups = strings.TrimSpace(string(data)); return nil }),
		parse("limits", func(data []byte) (err error) { f.limits, err = parseLimits(data); return err }),
		parse("cgroup", func(data []byte) error { f.cgroup = parseCgroup(data); return nil }),
		parse("mountinfo", f.takeMounts),
		func() error { return f.takeSpaces(p) },
	} {
		if err := step(); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *facts) takeMounts(data []byte) (err error) {
	f.mounts, err = mountinfo.GetMountsFromReader(bytes.NewReader(data), nil)
	for _, m := range f.mounts {
		f.byID[m.ID] = m
	}
	return err
}

func (f *facts) takeSpaces(p process) error {
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		id, err := fileAt(p.path("ns/" + kind))
		if errors.Is(err, fs.ErrNotExist) && kind == "time" {
			continue // before Linux 5.6
		}
		if err != nil {
			return err
		}
		f.spaces[kind] = id
	}
	return nil
}

// at is the mount at target that no other covers.
func (f *facts) at(target string) *mountinfo.Info {
	covered := map[int]bool{}
	var all []*mountinfo.Info
	for _, m := range f.mounts {
		if m.Mountpoint == target {
			covered[m.Parent] = covered[m.Parent] || m.Parent != m.ID
			all = append(all, m)
		}
	}
	for _, m := range all {
		if !covered[m.ID] {
			return m
		}
	}
	return nil
}

// executable is the file that the process runs. For a user, that of the runtime is not
// to be looked at.
func (p process) executable() (*unix.Statx_t, error) {
	exe, err := statAt(unix.AT_FDCWD, p.path("exe"), 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("%w, or hides its file: %w", ErrNotBegun, err)
	}
	return exe, err
}

// link is what a magic link says, for people.
func (p process) link(name string) string {
	text, err := os.Readlink(p.path(name))
	if err != nil {
		return "unknown"
	}
	return strconv.Quote(text)
}

// ended: what is read of a process on its way out is half of the truth.
func (p process) ended() bool {
	data, err := p.read("stat")
	if err != nil {
		return true
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 7 {
		return true
	}
	flags, err := strconv.ParseUint(fields[6], 10, 32)
	const exiting = 0x4 // PF_EXITING of the kernel's sched.h
	return err != nil || flags&exiting != 0 || fields[0] == "Z" || fields[0] == "X"
}
