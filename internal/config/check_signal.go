package config

import (
	"strconv"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2/unstable"
	"golang.org/x/sys/unix"
)

// lastSignal is the kernel's highest signal number (_NSIG).
const lastSignal = 64

// stopSignal takes a name with or without SIG, or a number: real-time signals
// have names only in the C library, which counts them from another start.
func stopSignal(r *report, n *node) (syscall.Signal, bool) {
	var signal syscall.Signal
	switch n.kind {
	case unstable.Integer:
		signal = numbered(n.text, 0)
	case unstable.String:
		signal = named(n.text)
	default:
		r.value(n, `want the name of a signal, such as "SIGTERM", or its number, got %s`, kinds[n.kind])
		return 0, false
	}
	if problem, words := signalProblem(signal, n.text); problem != "" {
		r.word(n, n.text, problem, words...)
		return 0, false
	}
	return signal, true
}

// signalProblem tells what is wrong with a signal that was written as text, and
// which words may have been meant.
func signalProblem(signal syscall.Signal, text string) (problem string, words []string) {
	switch signal {
	case 0:
		return quote(text) + " is no signal", signalNames()
	case unix.SIGSTOP:
		return "SIGSTOP freezes a program and never ends it", nil
	}
	return "", nil
}

func named(s string) syscall.Signal {
	if signal := unix.SignalNum(s); signal != 0 {
		return signal
	}
	if signal := unix.SignalNum("SIG" + s); signal != 0 {
		return signal
	}
	return numbered(s, 10)
}

func numbered(s string, base int) syscall.Signal {
	number, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), base, 8)
	if err != nil || number > lastSignal {
		return 0
	}
	return syscall.Signal(number)
}

func signalNames() []string {
	var names []string
	for signal := syscall.Signal(1); signal <= lastSignal; signal++ {
		if name := unix.SignalName(signal); name != "" {
			names = append(names, name)
		}
	}
	return names
}
