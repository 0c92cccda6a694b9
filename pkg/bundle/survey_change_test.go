package bundle

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// What is done to a tree, and whether it has another digest then.
var changes = []struct {
	what   string
	digest bool
	do     func(at func(string) string) error
	byRoot bool
}{
	{what: "content", digest: true, do: func(at func(string) string) error { return os.WriteFile(at("d/file"), []byte("Content\n"), 0) }},
	{what: "more content", digest: true, do: func(at func(string) string) error { return os.Truncate(at("d/file"), 9) }},
	{what: "name", digest: true, do: func(at func(string) string) error { return os.Rename(at("d/file"), at("d/File")) }},
	{what: "other directory", digest: true, do: func(at func(string) string) error { return os.Rename(at("d/file"), at("d/e/file")) }},
	{what: "new file", digest: true, do: func(at func(string) string) error { return os.WriteFile(at("d/e/new"), nil, 0o644) }},
	{what: "new directory", digest: true, do: func(at func(string) string) error { return os.Mkdir(at("d/e/new"), 0o755) }},
	{what: "removed file", digest: true, do: func(at func(string) string) error { return os.Remove(at("d-")) }},
	{what: "removed directory", digest: true, do: func(at func(string) string) error { return os.Remove(at("d/e")) }},
	{what: "mode of a file", digest: true, do: func(at func(string) string) error { return unix.Chmod(at("d/file"), 0o645) }},
	{what: "mode of a directory", digest: true, do: func(at func(string) string) error { return unix.Chmod(at("d/e"), 0o755) }},
	{what: "mode of the root", digest: true, do: func(at func(string) string) error { return unix.Chmod(at("."), 0o700) }},
	{what: "set-user-ID bit", digest: true, do: func(at func(string) string) error { return unix.Chmod(at("d-"), 0o711) }},
	{what: "mode of a FIFO", digest: true, do: func(at func(string) string) error { return unix.Chmod(at("fifo"), 0o600) }},
	{what: "link target", digest: true, do: func(at func(string) string) error { return swap(at("link"), "d/Fil") }},
	{what: "link target of the same length", digest: true, do: func(at func(string) string) error { return swap(at("link"), "d/File") }},
	{what: "file for a link", digest: true, do: func(at func(string) string) error {
		return first(os.Remove(at("link")), os.WriteFile(at("link"), []byte("d/file"), 0o600))
	}},
	{what: "socket for a FIFO", digest: true, do: func(at func(string) string) error {
		return first(os.Remove(at("fifo")), unix.Mknod(at("fifo"), unix.S_IFSOCK|0o600, 0), unix.Chmod(at("fifo"), 0o644))
	}},
	{what: "directory for a file", digest: true, do: func(at func(string) string) error {
		return first(os.Remove(at("d-")), os.Mkdir(at("d-"), 0o700))
	}},
	{what: "another file in its place", digest: true, do: func(at func(string) string) error {
		return first(os.WriteFile(at("d-aside"), []byte("CONTENT\n"), 0o644), os.Rename(at("d-aside"), at("d/file")))
	}},

	{what: "same content", do: func(at func(string) string) error { return os.WriteFile(at("d/file"), []byte("content\n"), 0) }},
	{what: "same file anew", do: func(at func(string) string) error {
		return first(os.WriteFile(at("aside"), []byte("content\n"), 0o644), os.Chmod(at("aside"), 0o644), os.Rename(at("aside"), at("d/file")))
	}},
	{what: "time of a file", do: func(at func(string) string) error { return os.Chtimes(at("d/file"), time.Unix(1, 2), time.Unix(3, 4)) }},
	{what: "time of a directory", do: func(at func(string) string) error { return os.Chtimes(at("d"), time.Unix(1, 2), time.Unix(3, 4)) }},
	{what: "time of the root", do: func(at func(string) string) error { return os.Chtimes(at("."), time.Unix(1, 2), time.Unix(3, 4)) }},
	{what: "attribute", do: func(at func(string) string) error { return unix.Setxattr(at("d/file"), "user.note", []byte("x"), 0) }},
	{what: "one file for two", do: func(at func(string) string) error {
		return first(os.Remove(at("d/file")), os.WriteFile(at("\xff2"), []byte("content\n"), 0o644), os.Chmod(at("\xff2"), 0o644), os.Link(at("\xff2"), at("d/file")), os.Remove(at("\xff2")))
	}},
	{what: "owner", byRoot: true, do: func(at func(string) string) error { return os.Lchown(at("d/file"), 7, 8) }},
	{what: "owner of a directory", byRoot: true, do: func(at func(string) string) error {
		return first(os.Lchown(at("d"), 7, 8), unix.Chmod(at("d"), 0o2755))
	}},
	{what: "owner of a link", byRoot: true, do: func(at func(string) string) error { return os.Lchown(at("link"), 7, 8) }},
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func swap(link, target string) error { return first(os.Remove(link), os.Symlink(target, link)) }

// Each change is told by State, and by the digest if it should be: with a cache
// that knows the tree as it was, and without one.
func TestWhatADigestTells(t *testing.T) {
	for _, change := range changes {
		t.Run(change.what, func(t *testing.T) {
			if change.byRoot {
				testenv.NeedRoot(t)
			}
			dir := scratch(t)
			source, cached := filepath.Join(dir, "source"), SurveyOptions{Cache: filepath.Join(dir, "cache")}
			smallTree(t, source)
			before := examineLater(t, source, cached)
			must(t, change.do(func(name string) string { return filepath.Join(source, name) }))
			want := digestOf(t, source)
			for _, o := range []SurveyOptions{{Content: ContentAll}, cached, cached} {
				after := examineLater(t, source, o)
				if after.Digest != want || (after.Digest != before.Digest) != change.digest {
					t.Errorf("with %+v the digest is %s, and was %s; want %s", o, after.Digest, before.Digest, want)
				}
				if after.State == before.State {
					t.Error("the state does not tell")
				}
			}
		})
	}
}

func TestStateIsTheSameOfTheUntouched(t *testing.T) {
	source := filepath.Join(scratch(t), "source")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	want := examineNow(t, source, SurveyOptions{}).State
	for i, content := range []Content{ContentNone, ContentAll, ContentChanged, ContentNone} {
		s := examineNow(t, source, SurveyOptions{Content: content, Workers: i + 1})
		if s.State != want {
			t.Errorf("survey %d has another state", i)
		}
		if none := content == ContentNone; none != (s.Digest == "") || none != (s.Read == 0) {
			t.Errorf("survey %d: digest %q, %d bytes read", i, s.Digest, s.Read)
		}
	}
}
