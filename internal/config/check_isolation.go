package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

const capabilityPrefix = "CAP_"

// capabilityNames are those of capabilities(7), by number.
var capabilityNames = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
	"NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
	"SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
	"AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
	"PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// capabilities takes an array of names, with or without CAP_.
func capabilities(r *report, n *node) ([]string, bool) {
	return distinct(r, n, func(s string) (string, string) {
		name := strings.TrimPrefix(s, capabilityPrefix)
		if slices.Contains(capabilityNames, name) {
			return capabilityPrefix + name, ""
		}
		return "", quote(s) + " is no capability"
	}, capabilityNames)
}

// maskable are the paths that are masked or read-only in each container.
var maskable = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
	"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
}

func unmaskable(r *report, n *node) ([]string, bool) {
	return distinct(r, n, func(s string) (string, string) {
		if slices.Contains(maskable, s) {
			return s, ""
		}
		return "", quote(s) + " is neither masked nor read-only in a container"
	}, maskable)
}

// distinct takes an array of words, each once and as canonical has it.
func distinct(r *report, n *node, canonical func(string) (word, problem string), words []string) ([]string, bool) {
	given, ok := texts(r, n)
	if !ok {
		return nil, false
	}
	var list []string
	for i, s := range given {
		word, problem := canonical(s)
		switch {
		case problem != "":
			r.word(n.children[i], s, problem, words...)
			ok = false
		case slices.Contains(list, word):
			r.value(n.children[i], "%s is listed already", quote(s))
			ok = false
		}
		list = append(list, word)
	}
	return list, ok
}

// fillNoNewPrivs turns the word round: what a gateway has that nobody has said
// anything of is the safe one.
func fillNoNewPrivs(r *report, n *node, into *Isolation) {
	if value, ok := boolean(r, n); ok {
		into.NewPrivs = !value
	}
}

// tmpRoot is the isolation.tmp that means no tmpfs.
const tmpRoot = "root"

// tmp takes the size of a tmpfs, or 0 for none.
func tmp(r *report, n *node) (int64, bool) {
	switch {
	case n.kind != unstable.String || n.text != "" && n.text[0] >= '0' && n.text[0] <= '9':
		return size(r, n)
	case n.text == tmpRoot:
		return 0, true
	}
	r.word(n, n.text, quote(n.text)+` is neither a size, such as "256MiB", nor root`, tmpRoot)
	return 0, false
}

// limits are the names of setrlimit(2), and whether they count bytes. Not among
// them are those that Linux has and does not keep (RLIMIT_LOCKS, RLIMIT_RSS).
var limits = map[string]bool{
	"as": true, "core": true, "data": true, "fsize": true, "memlock": true, "msgqueue": true, "stack": true,
	"cpu": false, "nice": false, "nofile": false, "nproc": false, "rtprio": false, "rttime": false, "sigpending": false,
}

// fillLimits takes any name of a limit, with a number each.
func fillLimits(r *report, n *node, into *Isolation) {
	if !n.isTable() {
		r.value(n, "want a table, got %s", kinds[n.kind])
		return
	}
	for _, child := range n.children {
		bytes, known := limits[child.name]
		if !known {
			r.unknown(child, limitNames())
			continue
		}
		value, ok := limit(r, child, bytes)
		if !ok {
			continue
		}
		if into.Limits == nil {
			into.Limits = map[string]int64{}
		}
		into.Limits[child.name] = value
	}
}

func limitNames() []string {
	var names []string
	for name := range limits {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func limit(r *report, n *node, bytes bool) (int64, bool) {
	if bytes && n.kind == unstable.String {
		return size(r, n)
	}
	if bytes && n.kind == unstable.Integer && n.text != strconv.Itoa(0) {
		r.value(n, `want a size in quotes, such as "500MiB", or 0`)
		return 0, false
	}
	return integer[int64](0, largestLimit)(r, n)
}
