// Package machine says what figures were taken on.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Machine is the hardware, the system, and the programs that were measured.
type Machine struct {
	Processors int       `json:"processors"`
	Model      string    `json:"model"`
	Kernel     string    `json:"kernel"`
	System     string    `json:"system"`
	Load       string    `json:"load"` // of the last minute, when the bench began: what else ran
	Programs   []Program `json:"programs"`
}

// Program is one of those that were measured.
type Program struct {
	Name    string   `json:"name"`
	Argv    []string `json:"-"`                 // makes it say its version
	Version string   `json:"version,omitempty"` // "": it says none, or is not there
}

// String is the one line beneath the table.
func (m Machine) String() string {
	parts := []string{fmt.Sprintf("%d × %s", m.Processors, m.Model), "Linux " + m.Kernel, m.System}
	for _, p := range m.Programs {
		if p.Version != "" {
			parts = append(parts, p.Name+" "+p.Version)
		}
	}
	if m.Load != "" {
		parts = append(parts, "load "+m.Load+" before")
	}
	return strings.Join(parts, ", ")
}

// Describe looks around. A program that comes with its version is not asked.
func Describe(ctx context.Context, programs ...Program) Machine {
	m := Machine{Processors: runtime.NumCPU(), Model: "unknown processor", System: "unknown system", Programs: programs}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Model = value(text, "model name\t: ", m.Model)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		m.System = strings.Trim(value(text, "PRETTY_NAME=", m.System), `"`)
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	for i, p := range m.Programs {
		if p.Version == "" {
			m.Programs[i].Version = version(ctx, p.Argv)
		}
	}
	return m
}

// version is the first word with a digit in it of the first line that a program
// says of itself, or the line's last word, or nothing.
func version(ctx context.Context, argv []string) string {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	for _, word := range bytes.Fields(line) {
		if bytes.ContainsAny(word, "0123456789") {
			return string(bytes.Trim(word, "()"))
		}
	}
	if words := bytes.Fields(line); len(words) > 1 {
		return string(words[len(words)-1])
	}
	return ""
}

// value is what follows key on the first line that begins with it.
func value(text []byte, key, otherwise string) string {
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	return otherwise
}
