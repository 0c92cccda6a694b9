package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// a sample is what one process took.
type sample struct {
	took   float64 // milliseconds from its start to its end
	cpu    float64 // milliseconds of it and of its children, user and system
	rss    int64   // bytes, the largest of them
	answer answer  // what one of ours said
}

// process runs argv to its end as the user who is measured.
func (b *bench) process(ctx context.Context, argv []string) (sample, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Stderr = &stderr
	ours := argv[0] == b.self
	if ours { // of others into /dev/null
		cmd.Stdout = &stdout
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.as}
	began := time.Now()
	err := cmd.Run()
	s := sample{took: figures.Milliseconds(time.Since(began))}
	if err != nil {
		return s, errors.Join(ctx.Err(), b.complaint(argv[0], stderr.String(), err))
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.cpu = figures.Milliseconds(time.Duration(usage.Utime.Nano() + usage.Stime.Nano()))
		s.rss = usage.Maxrss << 10
	}
	if ours && stdout.Len() > 0 {
		err = json.Unmarshal(stdout.Bytes(), &s.answer)
	}
	return s, err
}

// complaint is the first thing that a program said, without our paths in it.
func (b *bench) complaint(name, said string, err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	for _, place := range b.places {
		line = strings.ReplaceAll(line, place+"/", "")
	}
	if line == "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return errors.New(line)
}

// mostMemory is the most that this process has had resident, in bytes.
func mostMemory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Maxrss << 10
}

// highWater is the same, without what was inherited from the process that made
// this one (VmHWM of proc_pid_status(5)).
func highWater() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// call is the argv of one of our sub-commands.
func (b *bench) call(args ...string) []string { return append([]string{b.self}, args...) }

// count says how large a tree is.
func (b *bench) count(ctx context.Context, path string) (answer, error) {
	s, err := b.process(ctx, b.call("count", path))
	return s.answer, err
}
