package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine says what the figures were taken on.
type Machine struct {
	Processors int               `json:"processors"`
	Model      string            `json:"model"`
	Kernel     string            `json:"kernel"`
	System     string            `json:"system"`
	Load       string            `json:"load"` // of the last minute, when the bench began: what else ran
	Versions   map[string]string `json:"versions"`
}

// String is the one line beneath the table.
func (m Machine) String() string {
	parts := []string{fmt.Sprintf("%d × %s", m.Processors, m.Model), "Linux " + m.Kernel, m.System}
	for _, name := range versioned {
		if v := m.Versions[name]; v != "" {
			parts = append(parts, name+" "+v)
		}
	}
	if m.Load != "" {
		parts = append(parts, "load "+m.Load+" before")
	}
	return strings.Join(parts, ", ")
}

var versioned = []string{"systemd", "gatewayd", "youki", "podman", "conmon", "crun"}

func describe(ctx context.Context, binary string) Machine {
	m := Machine{Processors: runtime.NumCPU(), Model: "unknown processor", System: "unknown system", Versions: map[string]string{}}
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
	youki := filepath.Join(filepath.Dir(binary), "../libexec/gatewayd/youki")
	for name, argv := range map[string][]string{
		"systemd": {"systemctl", "--version"}, "gatewayd": {binary, "version"}, "youki": {youki, "--version"},
		"podman": {"podman", "--version"}, "conmon": {"conmon", "--version"}, "crun": {"crun", "--version"},
	} {
		m.Versions[name] = version(ctx, argv)
	}
	return m
}

// version is the last word of the first line that a program says of itself, or
// nothing.
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
