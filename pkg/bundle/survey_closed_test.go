package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

func surveyHelper() SurveyOptions {
	return SurveyOptions{Helper: helperOptions().Helper, IDs: helperOptions().IDs}
}

// What its owner cannot read is read, and is what it was.
func TestExamineReadsWhatItsOwnerCannot(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source, dest := filepath.Join(dir, "source"), filepath.Join(dir, "dest")
	closedTree(t, source)
	must(t, unix.Mkfifo(filepath.Join(source, "\xff\xfe"), 0o600)) // is told of by a name that is not UTF-8
	s := examineNow(t, source, surveyHelper())
	if s.Bytes != 18 || s.Read != 18 || s.Entries != 10 || fmt.Sprint(s.Special) != "{1 [\xff\xfe]}" {
		t.Errorf("%+v", s)
	}
	want := Owner{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Path: ".", Closed: "closed"}
	if len(s.Owners) != 1 || s.Owners[0] != want {
		t.Errorf("owners %v, want %v", s.Owners, want)
	}
	none := surveyHelper()
	none.Content = ContentNone
	if again := examineNow(t, source, none); again.State != s.State {
		t.Error("the survey touched it")
	}
	must(t, os.Remove(filepath.Join(source, "\xff\xfe")))
	digest := examineNow(t, source, surveyHelper()).Digest
	o := helperOptions()
	must(t, only(Copy(context.Background(), source, dest, o)))
	if copied := examineNow(t, dest, surveyHelper()).Digest; copied != digest {
		t.Errorf("digest %s, and of the copy %s", digest, copied)
	}
	opened(t, source, true)
}

// The digest is that which root has of it.
func TestExamineReadsTheSameAsRoot(t *testing.T) {
	testenv.NeedRoot(t)
	source := filepath.Join(scratch(t), "source")
	must(t, os.MkdirAll(filepath.Join(source, "closed/inner"), 0o700), os.WriteFile(filepath.Join(source, "closed/inner/file"), []byte("closed"), 0))
	must(t, os.Chmod(filepath.Join(source, "closed/inner"), 0), os.Chmod(filepath.Join(source, "closed"), 0))
	if s := examineNow(t, source, SurveyOptions{}); s.Digest != digestOf(t, source) {
		t.Errorf("digest %s, want %s", s.Digest, digestOf(t, source))
	}
}

func TestExamineWithoutHelperNamesTheClosedEntry(t *testing.T) {
	if !asUser(t) {
		return
	}
	owner := fmt.Sprintf("owner %d:%d)", os.Getuid(), os.Getgid())
	for _, c := range []struct {
		name string
		mode fs.FileMode
		dir  bool
		want string
	}{
		{"file", 0, false, "read d/file: permission denied (mode 0000, "},
		{"file", 0o222, false, "read d/file: permission denied (mode 0222, "},
		{"dir", 0, true, "open d/dir: permission denied (mode 0000, "},
		{"dir", 0o311, true, "open d/dir: permission denied (mode 0311, "},
		{"dir", 0o600, true, "search d/dir: permission denied (mode 0600, "},
	} {
		t.Run(fmt.Sprintf("%s %o", c.name, c.mode), func(t *testing.T) {
			source := filepath.Join(scratch(t), "source")
			path := filepath.Join(source, "d", c.name)
			if must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755)); c.dir {
				must(t, os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "inside"), nil, 0o600))
			} else {
				must(t, os.WriteFile(path, []byte("x"), 0o600))
			}
			must(t, os.Chmod(path, c.mode))
			_, err := Examine(context.Background(), source, SurveyOptions{})
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), c.want+owner) {
				t.Errorf("error %v, want %s%s", err, c.want, owner)
			}
			// To look at a file is not to read it.
			if _, err := Examine(context.Background(), source, SurveyOptions{Content: ContentNone}); (err != nil) != c.dir {
				t.Errorf("without content: error %v", err)
			}
		})
	}
	t.Run("root", func(t *testing.T) {
		source := filepath.Join(scratch(t), "source")
		must(t, os.Mkdir(source, 0))
		_, err := Examine(context.Background(), source, SurveyOptions{})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "open .: permission denied (mode 0000, "+owner) {
			t.Errorf("error %v", err)
		}
	})
}

// The helper keeps the same cache. What is in there needs no helper.
func TestCacheOfWhatItsOwnerCannotRead(t *testing.T) {
	if !asUser(t) {
		return
	}
	dir := scratch(t)
	source, o := filepath.Join(dir, "source"), surveyHelper()
	o.Cache = filepath.Join(dir, "cache")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(filepath.Join(source, "d/closed"), []byte("closed"), 0), os.WriteFile(filepath.Join(source, "open"), []byte("open"), 0o644))
	later := func(content Content, helper []string) (*Survey, error) {
		o.Content, o.Helper = content, helper
		return examine(context.Background(), time.Now().Add(time.Hour), source, o)
	}
	first, err := later(ContentChanged, o.Helper)
	if must(t, err); first.Read != 10 {
		t.Errorf("%d bytes read", first.Read)
	}
	second, err := later(ContentChanged, nil)
	if must(t, err); second.Read != 0 || second.Digest != first.Digest {
		t.Errorf("%d bytes read again", second.Read)
	}
	if _, err := later(ContentAll, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// A group that is not mapped keeps the file closed, and is not taken for another.
func TestExamineTellsOfOwnersThatAreNotMapped(t *testing.T) {
	if os.Getenv(innerEnv) == "" {
		testenv.NeedRoot(t) // to become a user who is in two groups
	}
	if !asUser(t) {
		return
	}
	source := filepath.Join(scratch(t), "source")
	file := filepath.Join(source, "d/file")
	must(t, os.MkdirAll(filepath.Join(source, "d"), 0o755), os.WriteFile(file, nil, 0o644), os.Chown(file, testUID, testGroup))
	want := fmt.Sprint([]Owner{{testUID, testUID, ".", ""}, {testUID, testGroup, "d/file", ""}})
	if s := examineNow(t, source, surveyHelper()); fmt.Sprint(s.Owners) != want {
		t.Errorf("owners %v, want %v", s.Owners, want)
	}
	must(t, os.WriteFile(filepath.Join(source, "d/own"), []byte("x"), 0))
	want = fmt.Sprint([]Owner{{testUID, testUID, ".", "d/own"}, {testUID, overflowID, "d/file", ""}})
	if s := examineNow(t, source, surveyHelper()); fmt.Sprint(s.Owners) != want {
		t.Errorf("owners %v, want %v", s.Owners, want)
	}
	must(t, os.WriteFile(file, []byte("x"), 0o644), os.Chmod(file, 0))
	if _, err := Examine(context.Background(), source, surveyHelper()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// What reads as nobody may be nobody, or anyone: it is not given an id of the
// range, whose owner would be taken for the user.
func TestNobodyIsNotMapped(t *testing.T) {
	ranges := []IDRange{{0, 1000, 1}, {1, 100_000, 65_536}}
	for id, want := range map[uint32]uint32{0: 1000, 1: 100_000, 999: 100_998, overflowID: overflowID, 70_000: overflowID} {
		if got := outside(ranges, id); got != want {
			t.Errorf("%d is %d, want %d", id, got, want)
		}
	}
}
