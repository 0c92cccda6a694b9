package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Passing says whether err is about what the machine was short of, or about a disk
// that did not answer: another try may well find it mended.
func Passing(err error) bool { return isPassing(err) }

// shortages are what gatewayd itself may be short of, and what a person does then.
var shortages = []struct {
	errno  unix.Errno
	advice string
}{
	{unix.EMFILE, "gatewayd has as many files open as it may: raise LimitNOFILE= of its unit"},
	{unix.ENFILE, "this machine has as many files open as it may: raise the sysctl fs.file-max"},
	{unix.ENOMEM, "gatewayd gets no more memory: free some, or raise MemoryMax= or LimitAS= of its unit"},
	{unix.ENOBUFS, "the kernel has no room for sockets: free some memory"},
}

// noMoreProcesses is the shortage that is one only where a process was to be made:
// elsewhere EAGAIN has other meanings.
const noMoreProcesses = "gatewayd gets no more processes: raise TasksMax= or LimitNPROC= of its unit, or end others of its user"

// shortage is what to do about err; "": it is not about us.
func shortage(err error) string {
	for _, s := range shortages {
		if errors.Is(err, s.errno) {
			return s.advice
		}
	}
	var fork *fs.PathError
	if errors.As(err, &fork) && fork.Op == "fork/exec" && errors.Is(fork.Err, unix.EAGAIN) {
		return noMoreProcesses
	}
	return ""
}

// unasked marks the error of a probe that is not the gateway's: one that is healthy
// would be ended for it, and its next launch would be short of the same. It is told
// once, and when it is over, since the next one is as good as it was before.
func (la *launch) unasked(err error) error {
	advice := shortage(err)
	if advice == "" {
		return err
	}
	err = fmt.Errorf("%w: %w: %s", supervisor.ErrUnasked, err, advice)
	if !la.blind.Swap(true) {
		la.host.log().Warn(la.title()+" is not probed, and goes on", append(la.fields("probe-unasked"), zap.Error(err))...)
	}
	return err
}

// seen: a probe has been answered.
func (la *launch) seen() {
	if la.blind.Swap(false) {
		la.host.log().Info(la.title()+" is probed again", la.fields("probe-unasked")...)
	}
}

// Advised adds to err what to do about it, where that is known. A runtime that has
// no room to work in often has none to say so either: then its error is no more than
// that it failed, and how full our directories are tells the rest.
func (h *Host) Advised(err error) error {
	if err == nil {
		return nil
	}
	advice := shortage(err)
	full := errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
	if advice == "" && (full || errors.As(err, new(*runtime.CommandError))) {
		advice = h.room(full)
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// room says which of our file systems are full; where one is said to be and none is,
// how full each is, since what was too large is gone again by now.
func (h *Host) room(said bool) string {
	var full, all []string
	for _, dir := range []string{h.Dirs.Runtime, h.Dirs.State} {
		words, isFull, err := roomIn(dir)
		if err != nil {
			continue
		}
		if all = append(all, words); isFull {
			full = append(full, words)
		}
	}
	if len(full) == 0 && said {
		full = all
	}
	if len(full) == 0 {
		return ""
	}
	return strings.Join(full, ", ") + ": make room there, the next try finds it"
}

// nearlyFull is what no launch gets along with, in blocks and in inodes.
const nearlyFull = 16

// roomIn is what we get of the file system of dir. Some, such as btrfs, do not count
// inodes.
func roomIn(dir string) (words string, full bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", false, os.NewSyscallError("statfs", err)
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree
	}
	words, full = fmt.Sprintf("%s has %d KiB", dir, free*uint64(st.Bsize)>>10), free < nearlyFull
	if st.Files > 0 {
		words, full = fmt.Sprintf("%s and %d inodes", words, st.Ffree), full || st.Ffree < nearlyFull
	}
	return words + " left", full, nil
}
