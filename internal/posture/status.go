package posture

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// status is what is needed of /proc/PID/status.
type status struct {
	uids, gids []uint32 // real, effective, saved and of file systems
	groups     []uint32
	pids       []uint32 // NSpid: in our namespace and those below
	sets       Sets
	noNew      bool
	seccomp    int
	filters    int // -1: the kernel does not tell (before Linux 5.9)
	slots      int // FDSize
}

func parseStatus(data []byte) (status, error) {
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	r := reader{fields: fields}
	s := status{
		uids: r.numbers("Uid"), gids: r.numbers("Gid"), groups: r.numbers("Groups"), pids: r.numbers("NSpid"),
		sets: Sets{
			Inheritable: r.bits("CapInh"), Permitted: r.bits("CapPrm"), Effective: r.bits("CapEff"),
			Bounding: r.bits("CapBnd"), Ambient: r.bits("CapAmb"),
		},
		noNew: r.number("NoNewPrivs") == 1, seccomp: r.number("Seccomp"), slots: r.number("FDSize"), filters: -1,
	}
	if _, told := fields["Seccomp_filters"]; told {
		s.filters = r.number("Seccomp_filters")
	}
	if r.err == nil && (len(s.uids) != 4 || len(s.gids) != 4 || len(s.pids) == 0) {
		r.err = fmt.Errorf("malformed status of a process")
	}
	return s, r.err
}

// reader keeps the first error.
type reader struct {
	fields map[string]string
	err    error
}

func (r *reader) field(name string) string {
	value, ok := r.fields[name]
	if !ok && r.err == nil {
		r.err = fmt.Errorf("malformed status of a process: no %s", name)
	}
	return value
}

func (r *reader) parse(name, text string, base, bits int) uint64 {
	n, err := strconv.ParseUint(text, base, bits)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("malformed status of a process: %s", name)
	}
	return n
}

func (r *reader) numbers(name string) (list []uint32) {
	for field := range strings.FieldsSeq(r.field(name)) {
		list = append(list, uint32(r.parse(name, field, 10, 32)))
	}
	return list
}

func (r *reader) number(name string) int  { return int(r.parse(name, r.field(name), 10, 31)) }
func (r *reader) bits(name string) uint64 { return r.parse(name, r.field(name), 16, 64) }

// limitNames are those of /proc/PID/limits (fs/proc/base.c of the kernel), which
// pads them to 25 characters.
var limitNames = map[string]string{
	"Max cpu time": "RLIMIT_CPU", "Max file size": "RLIMIT_FSIZE", "Max data size": "RLIMIT_DATA",
	"Max stack size": "RLIMIT_STACK", "Max core file size": "RLIMIT_CORE", "Max resident set": "RLIMIT_RSS",
	"Max processes": "RLIMIT_NPROC", "Max open files": "RLIMIT_NOFILE", "Max locked memory": "RLIMIT_MEMLOCK",
	"Max address space": "RLIMIT_AS", "Max file locks": "RLIMIT_LOCKS", "Max pending signals": "RLIMIT_SIGPENDING",
	"Max msgqueue size": "RLIMIT_MSGQUEUE", "Max nice priority": "RLIMIT_NICE",
	"Max realtime priority": "RLIMIT_RTPRIO", "Max realtime timeout": "RLIMIT_RTTIME",
}

// parseLimits returns the hard limits.
func parseLimits(data []byte) (map[string]uint64, error) {
	limits := map[string]uint64{}
	for line := range strings.Lines(string(data)) {
		if len(line) < 26 {
			continue
		}
		resource, ok := limitNames[strings.TrimSpace(line[:25])]
		fields := strings.Fields(line[25:])
		if !ok || len(fields) < 2 {
			continue // the heading, or a limit of a later kernel
		}
		hard, err := parseLimit(fields[1])
		if err != nil {
			return nil, fmt.Errorf("malformed limit %s", resource)
		}
		limits[resource] = hard
	}
	if len(limits) != len(limitNames) {
		return nil, fmt.Errorf("malformed limits of a process")
	}
	return limits, nil
}

func parseLimit(text string) (uint64, error) {
	if text == "unlimited" {
		return math.MaxUint64, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// parseCgroup returns the path in the unified hierarchy; those of version 1 that may
// be mounted as well are nothing to us. Empty: there is none, as on a machine of
// version 1 alone, where nobody is promised one.
func parseCgroup(data []byte) string {
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path
		}
	}
	return ""
}
