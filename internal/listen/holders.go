package listen

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// Holder is a process that has an address.
type Holder struct {
	PID  int    // 0: /proc does not tell
	Name string // of its command
	UID  int    // who made the socket
}

func (h Holder) String() string {
	if h.PID == 0 {
		return fmt.Sprintf("a process of user %d, which /proc does not tell", h.UID)
	}
	return fmt.Sprintf("%s (pid %d)", h.Name, h.PID)
}

// TakenError says that somebody else has the address. It is EADDRINUSE to errors.Is.
type TakenError struct {
	Address string
	Holders []Holder // none: the kernel does not tell
}

func (e *TakenError) Error() string {
	who := "somebody whom the kernel does not show"
	if len(e.Holders) > 0 {
		var all []string
		for _, h := range e.Holders {
			all = append(all, h.String())
		}
		who = strings.Join(all, ", ")
	}
	return fmt.Sprintf("listen on %s: it is taken by %s: end that, or choose another address", e.Address, who)
}

func (e *TakenError) Unwrap() error { return unix.EADDRINUSE }

// taken names those who have at's address, but for the sockets that are ours.
func taken(at address, ours map[uint64]bool) *TakenError {
	found := others(at, ours, states(stateListen, stateBound))
	if len(found) == 0 { // a connection keeps a port, too
		found = others(at, ours, ^states(stateSynReceived))
	}
	return &TakenError{Address: at.String(), Holders: holders(found)}
}

// others are the sockets on at's address and port that are not ours, by inode, with their user.
func others(at address, ours map[uint64]bool, mask uint32) map[uint64]int {
	found := map[uint64]int{}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		all, _ := endpoints(family, at.on.Port(), mask)
		for _, e := range all {
			if at.covers(e.local.Addr()) && e.inode != 0 && !ours[e.inode] {
				found[e.inode] = int(e.uid)
			}
		}
	}
	return found
}

// holders finds the processes that have these sockets open, at most four of each.
func holders(sockets map[uint64]int) []Holder {
	found := map[uint64][]Holder{}
	open, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range open {
		for _, inode := range socketsIn(dir) {
			if uid, wanted := sockets[inode]; wanted && len(found[inode]) < 4 {
				found[inode] = append(found[inode], holderAt(filepath.Dir(dir), uid))
			}
		}
	}
	var all []Holder
	for inode, uid := range sockets {
		if len(found[inode]) == 0 {
			found[inode] = []Holder{{UID: uid}}
		}
		all = append(all, found[inode]...)
	}
	slices.SortFunc(all, func(a, b Holder) int { return a.PID - b.PID })
	return slices.Compact(all)
}

// socketsIn lists the sockets of /proc/PID/fd, as far as we may look into it.
func socketsIn(dir string) []uint64 {
	var found []uint64
	names, _ := os.ReadDir(dir)
	for _, name := range names {
		link, _ := os.Readlink(filepath.Join(dir, name.Name()))
		if number, ok := strings.CutPrefix(link, "socket:["); ok {
			inode, _ := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
			found = append(found, inode)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(found)))
}

func holderAt(dir string, uid int) Holder {
	pid, _ := strconv.Atoi(filepath.Base(dir))
	name, _ := os.ReadFile(filepath.Join(dir, "comm"))
	return Holder{PID: pid, Name: nameOf(name), UID: uid}
}

// nameOf makes the name that a process has given itself fit for a terminal.
func nameOf(comm []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(string(comm)))
}
