package posture

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What the kernel shows of this process can be read.
func TestFactsOfOurselves(t *testing.T) {
	f, err := process(os.Getpid()).facts()
	must(t, err)
	if f.uids[0] != uint32(os.Getuid()) || f.pids[0] != uint32(os.Getpid()) || f.at("/") == nil || len(f.spaces) < 7 || len(f.limits) != 16 || f.slots < 3 {
		t.Errorf("facts = %+v", f)
	}
	if process(os.Getpid()).ended() || !process(1<<22).ended() { // beyond the highest pid
		t.Error("who has ended is told wrongly")
	}
}

func TestRanges(t *testing.T) {
	got, err := parseRanges([]byte("         1     100001      65535\n         0     100000          1\n    70000          5          2\n"))
	must(t, err)
	if want := []Range{{0, 100000, 65536}, {70000, 5, 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	all := []Range{{0, 0, math.MaxUint32}}
	if got, err := parseRanges([]byte("0 0 4294967295\n")); err != nil || !slices.Equal(got, all) {
		t.Errorf("got %v, %v", got, err)
	}
	for id, want := range map[uint32]uint32{0: 100000, 65535: 165535, 70001: 6} {
		if host, ok := toHost(got, id); !ok || host != want {
			t.Errorf("%d is %d, want %d", id, host, want)
		}
	}
	if _, ok := toHost(got, 65536); ok || hasHost(got, 7) || !hasHost(got, 165535) {
		t.Error("what is not mapped is")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]uint64{"65536k": 64 << 20, "256m": 256 << 20, "1G": 1 << 30, "512": 512} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%s is %d", text, got)
		}
	}
	for _, text := range []string{"", "50%", "k", "1kk", "-1", "18446744073709551615k"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func seeds(f *testing.F, name string) {
	data, err := os.ReadFile("/proc/self/" + name)
	must(f, err)
	f.Add(data)
	f.Add([]byte(strings.ReplaceAll(string(data), " ", "")))
	f.Add([]byte{})
}

// Whatever is read: it is refused, or makes sense.
func FuzzStatus(f *testing.F) {
	seeds(f, "status")
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseStatus(data)
		if err == nil && (len(s.uids) != 4 || len(s.gids) != 4 || len(s.pids) == 0 || s.seccomp < 0 || s.filters < -1 || s.slots < 0) {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzRanges(f *testing.F) {
	seeds(f, "uid_map")
	f.Add([]byte("1 1 1\n0 0 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseRanges(data)
		if err != nil {
			return
		}
		var text strings.Builder
		var total uint64
		for _, r := range list {
			total += uint64(r.Size)
			for _, n := range []uint32{r.Container, r.Host, r.Size} {
				text.WriteString(words(n) + " ")
			}
			text.WriteByte('\n')
		}
		again, err := parseRanges([]byte(text.String()))
		if err != nil || !slices.Equal(again, list) {
			t.Errorf("%v is read again as %v, %v", list, again, err)
		}
		var before uint64
		for line := range strings.Lines(string(data)) {
			one, err := parseRanges([]byte(line))
			must(t, err)
			before += uint64(one[0].Size)
		}
		if total != before {
			t.Errorf("%d ids became %d", before, total)
		}
	})
}

func FuzzLimits(f *testing.F) {
	seeds(f, "limits")
	f.Fuzz(func(t *testing.T, data []byte) {
		if limits, err := parseLimits(data); err == nil && len(limits) != len(limitNames) {
			t.Errorf("%v", limits)
		}
	})
}

// On a machine of version 1 alone there is nothing to be found, and nothing wrong.
func TestCgroupOfVersion1(t *testing.T) {
	if path := parseCgroup([]byte("2:cpu,cpuacct:/a\n1:name=systemd:/b\n")); path != "" {
		t.Errorf("path = %q", path)
	}
	c := asPromised()
	c.Cgroup, c.facts.cgroup = "", ""
	if c.compare(); c.report.Err() != nil {
		t.Error(c.report.Err())
	}
}

func FuzzCgroup(f *testing.F) {
	seeds(f, "cgroup")
	f.Fuzz(func(t *testing.T, data []byte) {
		if path := parseCgroup(data); path != "" && !strings.Contains(string(data), "0::"+path) {
			t.Errorf("%q", path)
		}
	})
}

// The table of mounts is read by somebody else's parser: it is refused, or makes
// sense.
func FuzzMounts(f *testing.F) {
	seeds(f, "mountinfo")
	f.Add([]byte("1 1 0:1 / / rw - tmpfs tmpfs rw\n2 1 0:1 / / rw - tmpfs tmpfs rw\n2 2 0:1 / / rw - tmpfs tmpfs rw\n"))
	f.Add([]byte("1 2 0:1 / /a rw - tmpfs tmpfs rw\n2 1 0:1 / /b rw - tmpfs tmpfs rw\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts := newFacts()
		if facts.takeMounts(data) != nil {
			return
		}
		c := check{facts: facts}
		for _, m := range facts.mounts {
			if at := facts.at(m.Mountpoint); at != nil && at.Mountpoint != m.Mountpoint {
				t.Errorf("at %q is %+v", m.Mountpoint, at)
			}
			c.above(m)
			_ = describe(m)
		}
	})
}
