package bundle

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// subordinateFiles is a directory with what the two files say.
func subordinateFiles(t testing.TB, uids, gids string) subordinates {
	t.Helper()
	dir := t.TempDir()
	s := subordinates{filepath.Join(dir, "subuid"), filepath.Join(dir, "subgid"), "web", 1000}
	must(t, os.WriteFile(s.uidFile, []byte(uids), 0o644), os.WriteFile(s.gidFile, []byte(gids), 0o644))
	return s
}

func TestSubordinateIDs(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []IDRange
	}{
		"by name":   {"other:1:5\nweb:100000:65536\n", []IDRange{{0, 1000, 1}, {1, 100000, 65536}}},
		"by number": {"1000:100000:65536", []IDRange{{0, 1000, 1}, {1, 100000, 65536}}},
		"several": {"web:300:10\n1000:100:5\nweb:200:1",
			[]IDRange{{0, 1000, 1}, {1, 300, 10}, {11, 100, 5}, {16, 200, 1}}},
		"twice the same":  {"web:300:10\nweb:300:10\n", []IDRange{{0, 1000, 1}, {1, 300, 10}}},
		"overlapping":     {"web:300:10\nweb:295:20\n", []IDRange{{0, 1000, 1}, {1, 300, 10}, {11, 295, 5}, {16, 310, 5}}},
		"with own id":     {"web:990:20\n", []IDRange{{0, 1000, 1}, {1, 990, 10}, {11, 1001, 9}}},
		"nothing but own": {"web:1000:1\nweb:7:1", []IDRange{{0, 1000, 1}, {1, 7, 1}}},
		"malformed around": {"web\nweb:\nweb:x:10\nweb:0:10\nweb:-5:10\nweb:5:-5\nweb:5:0\nweb:5:1e9\n:5:5\n\n# web:5:5\nweb:4294967295:1\n" +
			"web:4294967290:10\nweb:5:4294967296\nweb:99999999999999999999:1\nweb:5:99999999999999999999\nweb:7:8:9\n",
			[]IDRange{{0, 1000, 1}, {1, 7, 8}}},
		"up to the last id": {"web:4294967294:1", []IDRange{{0, 1000, 1}, {1, math.MaxUint32 - 1, 1}}},
		"more than an int":  {"web:2000:4000000000\nweb:1:10", []IDRange{{0, 1000, 1}, {1, 2000, math.MaxInt32 - 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			ids, err := subordinateFiles(t, c.file, c.file).ids(1000, 1000)
			must(t, err)
			if diff := cmp.Diff(IDMap{c.want, c.want}, ids); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGrantedIDs(t *testing.T) {
	for file, want := range map[string]bool{
		"web:65532:1\n":                   true,
		"1000:65500:33\n":                 true,
		"web:65500:32\nother:65532:1":     false, // one too few; somebody else's
		"web:65533:10\n":                  false,
		"web:x:10\nweb:65532:0\n":         false,
		"":                                false,
		"web:1:10\nweb:65000:1000\n# web": true,
	} {
		s := subordinateFiles(t, file, "")
		err := s.granted(s.uidFile, 65532)
		if (err == nil) != want || err != nil && !errors.Is(err, ErrNoRange) {
			t.Errorf("%q: %v", file, err)
		}
		if err != nil && !strings.Contains(err.Error(), "add the line web:65532:1") {
			t.Errorf("%q: %v: no advice", file, err)
		}
	}
}

// Root's containers have another user as their 0, and root's ranges.
func TestSubordinateIDsOfRoot(t *testing.T) {
	s := subordinateFiles(t, "web:7:3\nroot:100000:65536", "0:200000:65536\n65532:5:5")
	s.name, s.owner = "root", 0
	ids, err := s.ids(65532, 65533)
	must(t, err)
	want := IDMap{[]IDRange{{0, 65532, 1}, {1, 100000, 65536}}, []IDRange{{0, 65533, 1}, {1, 200000, 65536}}}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
}

// The two files are two: what one gives does not count for the other.
func TestSubordinateIDsOfGroups(t *testing.T) {
	ids, err := subordinateFiles(t, "web:100:5", "web:50:10\n").ids(1000, 55)
	must(t, err)
	want := IDMap{[]IDRange{{0, 1000, 1}, {1, 100, 5}}, []IDRange{{0, 55, 1}, {1, 50, 5}, {6, 56, 4}}}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
}

func TestSubordinateIDsOfNoMoreRangesThanAPageTakes(t *testing.T) {
	var file strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&file, "web:%d:1\n", 100000+2*i)
	}
	ids, err := subordinateFiles(t, file.String(), file.String()).ids(1000, 1000)
	must(t, err)
	if len(ids.UIDs) != maxLines || len(ids.GIDs) != maxLines {
		t.Errorf("%d and %d ranges", len(ids.UIDs), len(ids.GIDs))
	}
}

func TestSubordinateIDsOfNobodySaysWhatHelps(t *testing.T) {
	const others = "other:100000:65536\nanother:165536:65536\n"
	for name, c := range map[string]struct {
		uids, gids, user string
		uid              int
		words            []string
	}{
		"none": {others, others, "web", 1000,
			[]string{"for user web in ", "subuid and ", "subgid: ", `"usermod --add-subuids 231072-296607 --add-subgids 231072-296607 web"`}},
		"no gids":       {"web:7:7", "", "web", 1000, []string{"in /", "/subgid: ", `"usermod --add-subgids 100000-165535 web"`}},
		"no uids":       {"", "web:7:7", "web", 1000, []string{"/subuid: ", `"usermod --add-subuids 100000-165535 web"`}},
		"root":          {"web:7:7", "web:7:7", "root", 0, []string{"for user root ", ` root"`}},
		"no name":       {":7:7", ":7:7", "", 1000, []string{"user 1000 ", "the line 1000:100000:65536 in there"}},
		"nothing valid": {"web:0:7", "web:0:7", "web", 1000, []string{"usermod"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := subordinateFiles(t, c.uids, c.gids)
			s.name, s.owner = c.user, c.uid
			_, err := s.ids(1000, 1000)
			if !errors.Is(err, ErrNoRange) || !told(err, c.words...) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSubordinateIDsWithoutFiles(t *testing.T) {
	s := subordinateFiles(t, "", "")
	must(t, os.Remove(s.uidFile), os.Remove(s.gidFile))
	if _, err := s.ids(1000, 1000); !errors.Is(err, ErrNoRange) || !told(err, s.uidFile, s.gidFile) {
		t.Errorf("absent: %v", err)
	}
	must(t, os.Mkdir(s.uidFile, 0o755))
	if _, err := s.ids(1000, 1000); err == nil || errors.Is(err, ErrNoRange) || !told(err, "read "+s.uidFile) {
		t.Errorf("unreadable: %v", err)
	}
}

// Whatever is in the files, no id is mapped twice, none is root's or the
// caller's but 0, and the container's have no gap.
func FuzzSubordinateIDs(f *testing.F) {
	f.Add("web:100000:65536\n", 1000)
	f.Add("web:1:4294967294\nweb:5:5\n", 0)
	f.Add("1000:990:20\nweb:980:20\nweb:1:2000\n", 1000)
	f.Add("web:4294967294:1\nweb::5\nweb:0:9\n", 7)
	f.Fuzz(func(t *testing.T, file string, uid int) {
		if uid < 0 || uid >= math.MaxUint32 {
			t.Skip("no id")
		}
		ids, err := subordinateFiles(t, file, file).ids(uid, uid)
		if err != nil {
			return
		}
		sound(t, ids.UIDs, uint32(uid))
	})
}

func sound(t *testing.T, ranges []IDRange, own uint32) {
	t.Helper()
	next := uint64(0)
	for i, r := range ranges {
		if r.Size == 0 || uint64(r.Container) != next || uint64(r.Host)+uint64(r.Size) > math.MaxUint32 {
			t.Errorf("range %d of %v", i, ranges)
		}
		next += uint64(r.Size)
	}
	if next > maxIDs || len(ranges) > maxLines {
		t.Errorf("%d ids in %d ranges", next, len(ranges))
	}
	if _, mapped := toContainer(ranges, 0); mapped {
		t.Errorf("root's id is mapped: %v", ranges)
	}
	if c, mapped := toContainer(ranges, own); mapped && c != 0 {
		t.Errorf("own id is %d: %v", c, ranges)
	}
	ranges = slices.SortedFunc(slices.Values(ranges), func(a, b IDRange) int { return int(int64(a.Host) - int64(b.Host)) })
	for i := 1; i < len(ranges); i++ {
		if ranges[i-1].Host+ranges[i-1].Size > ranges[i].Host {
			t.Errorf("an id is mapped twice: %v", ranges)
		}
	}
}

func TestIDMapLookups(t *testing.T) {
	ids := IDMap{
		UIDs: []IDRange{{0, 1000, 1}, {1, 100000, 10}, {50, math.MaxUint32 - 2, 10}},
		GIDs: []IDRange{{0, 55, 2}},
	}
	for _, c := range []struct {
		container, host uint32
		ok              bool
	}{{0, 1000, true}, {1, 100000, true}, {10, 100009, true}, {11, 0, false}, {50, math.MaxUint32 - 2, true}, {51, math.MaxUint32 - 1, true}, {52, 0, false}, {53, 0, false}} {
		host, ok := ids.HostUID(c.container)
		if ok != c.ok || ok && host != c.host {
			t.Errorf("user %d is %d, %v", c.container, host, ok)
		}
		container, ok := toContainer(ids.UIDs, c.host)
		if c.ok && (!ok || container != c.container) {
			t.Errorf("the host's %d is %d, %v", c.host, container, ok)
		}
	}
	if host, ok := ids.HostGID(1); !ok || host != 56 {
		t.Errorf("group 1 is %d, %v", host, ok)
	}
	if _, ok := toContainer([]IDRange{{math.MaxUint32 - 1, 5, 10}}, 7); ok {
		t.Error("an id beyond 32 bits is mapped")
	}
	if ids.Single() || !SingleID(7, 8).Single() || (IDMap{}).Single() {
		t.Error("a single id is not told from several and from none")
	}
}
