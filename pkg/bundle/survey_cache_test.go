package bundle

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cachedTree is a tree of one directory of three files in another, with a cache.
func cachedTree(t *testing.T) (at func(string) string, source string, o SurveyOptions) {
	t.Helper()
	dir := scratch(t)
	source = filepath.Join(dir, "source")
	at = func(name string) string { return filepath.Join(source, name) }
	must(t, os.MkdirAll(at("d"), 0o755), os.Symlink("d", at("link")),
		os.WriteFile(at("d/a"), []byte("aaaa"), 0o644), os.WriteFile(at("d/b"), []byte("bbbb"), 0o644), os.WriteFile(at("c"), []byte("cccc"), 0o644))
	return at, source, SurveyOptions{Cache: filepath.Join(dir, "cache")}
}

func TestUnchangedIsNotReadAgain(t *testing.T) {
	for what, c := range map[string]struct {
		do   func(at func(string) string) error
		read int64
	}{
		"untouched": {func(func(string) string) error { return nil }, 0},
		"touched":   {func(at func(string) string) error { return os.Chtimes(at("d/a"), time.Time{}, time.Now()) }, 4},
		"same size, same mtime": {func(at func(string) string) error {
			info, err := os.Stat(at("d/a"))
			return first(err, os.WriteFile(at("d/a"), []byte("AAAA"), 0), os.Chtimes(at("d/a"), info.ModTime(), info.ModTime()))
		}, 4},
		"renamed over": {func(at func(string) string) error { return os.Rename(at("d/a"), at("d/b")) }, 4},
		"exchanged": {func(at func(string) string) error {
			return unix.Renameat2(unix.AT_FDCWD, at("d/a"), unix.AT_FDCWD, at("d/b"), unix.RENAME_EXCHANGE)
		}, 8},
		"directory renamed": {func(at func(string) string) error { return os.Rename(at("d"), at("e")) }, 0},
		"file added":        {func(at func(string) string) error { return os.WriteFile(at("d/c"), []byte("ccccc"), 0o600) }, 5},
		"file removed":      {func(at func(string) string) error { return os.Remove(at("d/a")) }, 0},
		"file linked":       {func(at func(string) string) error { return os.Link(at("d/a"), at("link2")) }, 4},
	} {
		t.Run(what, func(t *testing.T) {
			at, source, o := cachedTree(t)
			if s := examineLater(t, source, o); s.Read != 12 {
				t.Errorf("%d bytes read the first time", s.Read)
			}
			must(t, c.do(at))
			for _, read := range []int64{c.read, 0, 0} {
				if s := examineLater(t, source, o); s.Digest != digestOf(t, source) || s.Read != read {
					t.Errorf("%s and %d bytes read, want %s and %d", s.Digest, s.Read, digestOf(t, source), read)
				}
			}
			if s := examineLater(t, source, SurveyOptions{Content: ContentAll, Cache: o.Cache}); s.Read != s.Bytes || s.Digest != digestOf(t, source) {
				t.Errorf("%d of %d bytes read when all should be", s.Read, s.Bytes)
			}
		})
	}
}

// What was changed within the last two seconds may be changed once more without
// a trace in its times: it is read again.
func TestJustChangedIsReadAgain(t *testing.T) {
	at, source, o := cachedTree(t)
	for range 2 {
		if s := examineNow(t, source, o); s.Read != 12 {
			t.Errorf("%d bytes read", s.Read)
		}
	}
	examineLater(t, source, o)
	must(t, os.WriteFile(at("d/a"), []byte("AAAA"), 0))
	for range 2 {
		if s := examineNow(t, source, o); s.Read != 4 || s.Digest != digestOf(t, source) {
			t.Errorf("%d bytes read, %s", s.Read, s.Digest)
		}
	}
}

func TestCacheIsWrittenOnlyForNews(t *testing.T) {
	at, source, o := cachedTree(t)
	inodeOf := func() uint64 {
		t.Helper()
		var st unix.Stat_t
		must(t, unix.Stat(o.Cache, &st))
		if st.Mode != unix.S_IFREG|0o600 {
			t.Errorf("mode %o", st.Mode)
		}
		onlyHolds(t, filepath.Dir(o.Cache), "source", "cache")
		return st.Ino
	}
	examineLater(t, source, o)
	must(t, os.Mkdir(at("new"), 0o700), os.WriteFile(o.Cache+".new", []byte("left by a crash"), 0o640))
	examineLater(t, source, o)
	was := inodeOf()
	keep, err := os.Open(o.Cache) // or its inode might be given to the next one
	must(t, err)
	defer keep.Close()
	for range 2 {
		examineLater(t, source, o)
		examineLater(t, source, SurveyOptions{Cache: o.Cache, Content: ContentAll})
		examineLater(t, source, SurveyOptions{Cache: o.Cache, Content: ContentNone})
	}
	if inodeOf() != was {
		t.Error("written anew though nothing had changed")
	}
	must(t, os.Chtimes(at("d/a"), time.Time{}, time.Unix(1, 0)))
	if examineLater(t, source, o); inodeOf() == was {
		t.Error("not written though something had changed")
	}
}

// forge gives the cache other digests, and the checksum that they need.
func forge(t *testing.T, path string, at func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	data = at(data[:len(data)-4])
	sum := crc32.Checksum(data, castagnoli)
	must(t, os.WriteFile(path, append(data, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)), 0o600))
}

// A directory that was changed within the last two seconds is listed again.
func TestJustListedIsListedAgain(t *testing.T) {
	_, source, o := cachedTree(t)
	rename := func(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\x00\x01a"), []byte("\x00\x01B")) }
	want := examineNow(t, source, o).Digest
	forge(t, o.Cache, rename)
	if s := examineNow(t, source, o); s.Digest != want {
		t.Errorf("digest %s, want %s", s.Digest, want)
	}
	examineLater(t, source, o)
	forge(t, o.Cache, rename)
	if _, err := Examine(context.Background(), source, o); !errors.Is(err, ErrChanged) {
		t.Errorf("the forged cache is not what the test is about: error %v", err)
	}
}

// ContentAll does not believe the cache, and puts it right.
func TestAllContentIsReadInSpiteOfTheCache(t *testing.T) {
	_, source, o := cachedTree(t)
	want := examineLater(t, source, o).Digest
	forge(t, o.Cache, func(data []byte) []byte { data[len(data)-1]++; return data })
	if s := examineLater(t, source, o); s.Digest == want {
		t.Error("the forged cache is not what the test is about")
	}
	o.Content = ContentAll
	if s := examineLater(t, source, o); s.Digest != want || s.Read != 12 {
		t.Errorf("digest %s, %d bytes read", s.Digest, s.Read)
	}
	o.Content = ContentChanged
	if s := examineLater(t, source, o); s.Digest != want || s.Read != 0 {
		t.Errorf("then digest %s, %d bytes read", s.Digest, s.Read)
	}
}

// Whatever a power loss leaves of it is as none, and is replaced.
func TestDamagedCacheIsAsNone(t *testing.T) {
	_, source, o := cachedTree(t)
	want := examineLater(t, source, o).Digest
	sound, err := os.ReadFile(o.Cache)
	must(t, err)
	check := func(what string, i int, data []byte) {
		t.Helper()
		must(t, os.WriteFile(o.Cache, data, 0o600))
		if s := examineLater(t, source, o); s.Digest != want || s.Read != 12 {
			t.Fatalf("%s %d: %s, %d bytes read", what, i, s.Digest, s.Read)
		}
		if s := examineLater(t, source, o); s.Digest != want || s.Read != 0 {
			t.Fatalf("after %s %d: %s, %d bytes read", what, i, s.Digest, s.Read)
		}
	}
	for i := 0; i < len(sound); i += 3 {
		check("cut at", i, sound[:i])
		flipped := bytes.Clone(sound)
		flipped[i] ^= 0x10
		check("flipped at", i, flipped)
		zeros := bytes.Clone(sound)
		if clear(zeros[i:]); !bytes.Equal(zeros, sound) {
			check("zeros from", i, zeros)
		}
	}
	check("appended", 0, append(bytes.Clone(sound), 0))
}

func TestCacheOfAnotherDirectoryIsAsNone(t *testing.T) {
	_, source, o := cachedTree(t)
	_, other, _ := cachedTree(t)
	for i, read := range []int64{12, 0, 12, 12} {
		if s := examineLater(t, []string{source, source, other, source}[i], o); s.Read != read {
			t.Errorf("survey %d: %d bytes read, want %d", i, s.Read, read)
		}
	}
	moved := source[:len(source)-1] + "X"
	must(t, os.Rename(source, moved))
	if s := examineLater(t, moved, o); s.Read != 12 {
		t.Errorf("%d bytes read at another path", s.Read)
	}
}

// Nothing that is no cache is waited for, and a survey is one without it, too.
func TestCacheThatCannotBe(t *testing.T) {
	for what, make := range map[string]func(path string) error{
		"directory": func(path string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) },
		"below a file": func(path string) error {
			return first(os.Remove(filepath.Dir(path)), os.WriteFile(filepath.Dir(path), nil, 0o600))
		},
		"nowhere": func(path string) error { return os.Remove(filepath.Dir(path)) },
	} {
		t.Run(what, func(t *testing.T) {
			_, source, o := cachedTree(t)
			o.Cache = filepath.Join(filepath.Dir(o.Cache), "dir", "cache")
			must(t, os.Mkdir(filepath.Dir(o.Cache), 0o700), make(o.Cache))
			s := examineLater(t, source, o)
			if s.Digest != digestOf(t, source) || !strings.Contains(s.CacheError, o.Cache) {
				t.Errorf("digest %s, cache error %q", s.Digest, s.CacheError)
			}
		})
	}
	t.Run("FIFO", func(t *testing.T) {
		_, source, o := cachedTree(t)
		must(t, unix.Mkfifo(o.Cache, 0o600))
		for _, read := range []int64{12, 0} {
			if s := examineLater(t, source, o); s.Read != read || s.CacheError != "" {
				t.Errorf("%d bytes read, cache error %q", s.Read, s.CacheError)
			}
		}
	})
}

// A survey that comes to nothing leaves the cache as it was.
func TestCacheSurvivesAFailedSurvey(t *testing.T) {
	_, source, o := cachedTree(t)
	examineLater(t, source, o)
	sound, err := os.ReadFile(o.Cache)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Examine(ctx, source, o); err == nil {
		t.Error("it did not fail")
	}
	data, err := os.ReadFile(o.Cache)
	if must(t, err); !bytes.Equal(data, sound) {
		t.Error("the cache was touched")
	}
}

// No file makes the parser panic, or allocate more than some times its size.
func FuzzSurveyCache(f *testing.F) {
	header := "head"
	encode := func(records ...record) string { return encodeDir(&examinedDir{records: records}, 1) }
	block := encode(record{name: "a", keep: true}, record{name: "b"})
	short := encode(record{name: "a"}, record{name: "bcdef"})
	for _, blocks := range []string{
		"", block, block + block, block[:len(block)-1], "\xff\xff\xff\xff" + block[4:], "\x00\x00\x00\x00" + block[4:],
		"\x00\x00\x00" + string(rune(len(short)-3)) + short[4:len(short)-3], // a name that is cut off
		"\x00\x00\x00" + string(rune(len(short)-6)) + short[4:len(short)-6], // an entry that is cut off
		encode(record{name: "b"}, record{name: "a"}), encode(record{name: "a"}, record{name: "a"}),
	} {
		f.Add([]byte(blocks))
	}
	f.Fuzz(func(t *testing.T, blocks []byte) {
		data := append([]byte(header), blocks...)
		sum := crc32.Checksum(data, castagnoli)
		data = append(data, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		dirs, err := parseCache(data, header)
		if err != nil {
			return
		}
		for ino, d := range dirs {
			records, ok := d.appendRecords(nil)
			if !ok {
				continue
			}
			if ino != d.ino || len(records)*entryHeader > len(d.block) || cap(records) > len(d.block) {
				t.Fatalf("%d records, room for %d, of %d bytes", len(records), cap(records), len(d.block))
			}
			for i := range max(len(records), 1) - 1 {
				if records[i].name >= records[i+1].name {
					t.Fatal("names are not sorted")
				}
			}
		}
	})
}
