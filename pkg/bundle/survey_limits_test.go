package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExamineStopsAtMounts(t *testing.T) {
	if !asMounter(t) {
		return
	}
	for what, mount := range map[string]func(dir string) (string, error){
		"tmpfs": func(dir string) (string, error) {
			return "d", unix.Mount("tmpfs", filepath.Join(dir, "d"), "tmpfs", 0, "")
		},
		"directory of the same file system": func(dir string) (string, error) {
			return "d", unix.Mount(dir, filepath.Join(dir, "d"), "", unix.MS_BIND, "")
		},
		"file of the same file system": func(dir string) (string, error) {
			return "e/file", unix.Mount(filepath.Join(dir, "other"), filepath.Join(dir, "e/file"), "", unix.MS_BIND, "")
		},
		"itself": func(dir string) (string, error) {
			return "e/file", unix.Mount(filepath.Join(dir, "e/file"), filepath.Join(dir, "e/file"), "", unix.MS_BIND, "")
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := scratch(t)
			source, o := filepath.Join(dir, "source"), SurveyOptions{Cache: filepath.Join(dir, "cache")}
			must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.MkdirAll(filepath.Join(source, "e"), 0o755),
				os.WriteFile(filepath.Join(source, "e/file"), nil, 0o600), os.WriteFile(filepath.Join(source, "other"), nil, 0o600))
			examineLater(t, source, o)
			place, err := mount(source)
			must(t, err)
			t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(source, place), unix.MNT_DETACH)) })
			for _, content := range []Content{ContentChanged, ContentAll, ContentNone} {
				o.Content = content
				_, err := Examine(context.Background(), source, o)
				if !errors.Is(err, unix.EXDEV) || !strings.Contains(err.Error(), place+": something is mounted there") {
					t.Errorf("error %v", err)
				}
			}
			// A tree may be a mount itself.
			if what == "tmpfs" {
				examineNow(t, filepath.Join(source, place), SurveyOptions{})
			}
		})
	}
}

func TestExamineOfAHugeDirectory(t *testing.T) {
	source, files := scratch(t), 5_000
	if os.Getenv("GATEWAYD_TEST_LONG") != "" {
		files = 100_000
	}
	for i := range files {
		must(t, unix.Mknod(filepath.Join(source, fmt.Sprint(i)), unix.S_IFREG|0o644, 0))
	}
	must(t, os.WriteFile(filepath.Join(source, "777"), make([]byte, 3<<20), 0o600), os.Mkdir(filepath.Join(source, "d"), 0o700))
	want := digestOf(t, source)
	for _, workers := range []int{1, 2, 9} {
		if s := examineLater(t, source, SurveyOptions{Workers: workers, Cache: t.TempDir() + "/c"}); s.Digest != want || s.Entries != int64(files)+1 || s.Read != 3<<20 {
			t.Errorf("%s, %d entries, %d bytes read", s.Digest, s.Entries, s.Read)
		}
	}
}

// No path names what is deep in there.
func TestExamineOfWhatNoPathCanName(t *testing.T) {
	dir := scratch(t)
	source, name := filepath.Join(dir, "source"), strings.Repeat("d", 250)
	must(t, os.Mkdir(source, 0o755))
	deep(t, source, name, 60)
	t.Cleanup(func() { must(t, Remove(context.Background(), dir, "source", RemoveOptions{})) })
	described := func(kind byte, mode uint16, name string, content []byte) []byte {
		sum := sha256.Sum256(content)
		head := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{kind}, mode), uint16(len(name)))
		return append(append(head, name...), sum[:]...)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(source, name), &st))
	content := described('f', 0o600, "file", nil)
	for range 60 {
		content = described('d', uint16(st.Mode&0o7777), name, content)
	}
	must(t, unix.Stat(source, &st))
	want := fmt.Sprintf("sha256:%x", sha256.Sum256(described('d', uint16(st.Mode&0o7777), "", content)))
	o := SurveyOptions{Cache: filepath.Join(dir, "cache")}
	for range 2 {
		if s := examineLater(t, source, o); s.Digest != want || s.Entries != 61 {
			t.Errorf("digest %s, want %s; %d entries", s.Digest, want, s.Entries)
		}
	}
}

// An ending is a context that ends after so many looks at it, by anyone.
type ending struct {
	context.Context
	left atomic.Int64
}

func (c *ending) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestExamineCancelledAnywhere(t *testing.T) {
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	must(t, os.WriteFile(filepath.Join(source, "large"), make([]byte, 20<<20), 0o600))
	o := SurveyOptions{Cache: filepath.Join(dir, "cache"), Workers: 2, Content: ContentAll}
	for looks := int64(0); ; looks += 7 {
		ctx := &ending{Context: context.Background()}
		ctx.left.Store(looks)
		s, err := Examine(ctx, source, o)
		if err == nil {
			if looks < 80 || s.Digest != digestOf(t, source) {
				t.Errorf("looked at its context %d times only", looks)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		onlyHolds(t, dir, "source")
	}
}

// The number of open files does not grow with the tree; when there are none to be
// had the error says so.
func TestExamineWithFewDescriptors(t *testing.T) {
	source := scratch(t)
	for i := range 30 {
		path := source
		for j := range 20 {
			path = filepath.Join(path, fmt.Sprint(i*j%7))
			must(t, os.MkdirAll(path, 0o755), os.WriteFile(filepath.Join(path, "file"), []byte("content"), 0o644))
		}
	}
	want := digestOf(t, source)
	const workers = 3
	leave(t, 1+2*workers)
	for range 20 {
		if s := examineNow(t, source, SurveyOptions{Workers: workers}); s.Digest != want {
			t.Errorf("digest %s, want %s", s.Digest, want)
		}
	}
	leave(t, 1) // of those
	for range 20 {
		if _, err := Examine(context.Background(), source, SurveyOptions{Workers: workers}); !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), source) {
			t.Fatalf("error %v", err)
		}
	}
}

// leave lets the rest of the test open so many more files.
func leave(t *testing.T, n int) {
	t.Helper()
	var before unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(before.Cur, 100), Max: before.Max}))
	var taken []int
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) {
			break
		}
		must(t, err)
		taken = append(taken, fd)
	}
	if len(taken) < n {
		t.Fatalf("%d files can be opened", len(taken))
	}
	for i, fd := range taken {
		if i < n {
			must(t, unix.Close(fd))
		} else {
			t.Cleanup(func() { must(t, unix.Close(fd)) })
		}
	}
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
}
