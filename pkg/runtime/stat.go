package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticks per second of the times in /proc: USER_HZ, 100 wherever Go runs.
const ticksPerSecond = 100

// stat is what /proc/PID/stat tells of a process (proc_pid_stat(5)).
type stat struct {
	pid, parent, group, session int
	state                       byte   // 'Z': zombie
	start                       uint64 // in ticks since boot
}

func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(pid, data)
}

func parseStat(pid int, data []byte) (s stat, err error) {
	// The name in parentheses is the process's own choice and may hold anything.
	end := bytes.LastIndexByte(data, ')')
	fields := strings.Fields(string(data[end+1:]))
	if end < 0 || len(fields) < 20 {
		return stat{}, fmt.Errorf("read stat of %d: malformed", pid)
	}
	s = stat{pid: pid, state: fields[0][0]}
	for i, to := range []*int{&s.parent, &s.group, &s.session} {
		if *to, err = strconv.Atoi(fields[1+i]); err != nil {
			return stat{}, fmt.Errorf("read stat of %d: %w", pid, err)
		}
	}
	if s.start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return stat{}, fmt.Errorf("read stat of %d: %w", pid, err)
	}
	return s, nil
}

// allPids lists the processes that /proc shows.
func allPids() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return numbers(names), err
}

// children lists our own children. The kernel keeps them by the thread that
// forked; a child that comes or goes while this reads may be missed.
func children() ([]int, error) {
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil { // else: the thread is gone
			pids = append(pids, numbers(strings.Fields(string(data)))...)
		}
	}
	return pids, nil
}

func numbers(texts []string) []int {
	var list []int
	for _, text := range texts {
		if n, err := strconv.Atoi(text); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// arguments returns the command line of a process; empty for a zombie.
func arguments(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// uptime is the clock that start times are on.
func uptime() (time.Duration, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("read boot time: %w", err)
	}
	return time.Duration(now.Nano()), nil
}

// inTicks rounds down, as the kernel does.
func inTicks(d time.Duration) uint64 {
	return uint64(d / (time.Second / ticksPerSecond))
}
