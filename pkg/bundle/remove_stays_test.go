package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// Of linux/fs.h: FS_IMMUTABLE_FL and FS_APPEND_FL.
const immutableFlag, appendFlag = 0x10, 0x20

// setFlags gives a file the flags of chattr(1).
func setFlags(t *testing.T, path string, flags int) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	err = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		testenv.Skip(t, "needs a file system with immutable files for TMPDIR, such as ext4")
	}
	must(t, err)
}

func TestRemoveNamesTheImmutable(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, "tree", name) }
	aside := func(name string) string { return filepath.Join(dir, asideName("tree"), name) }
	must(t, os.MkdirAll(at("a/full/inner"), 0o755), os.MkdirAll(at("b"), 0o755), os.WriteFile(at("a/fixed"), nil, 0), os.WriteFile(at("b/log"), nil, 0))
	for name, flag := range map[string]int{"a/fixed": immutableFlag, "a/full": immutableFlag, "b/log": appendFlag} {
		setFlags(t, at(name), flag)
		t.Cleanup(func() {
			if _, err := os.Lstat(aside(name)); err == nil {
				setFlags(t, aside(name), 0)
			}
		})
	}
	err := Remove(context.Background(), dir, "tree", RemoveOptions{})
	for _, want := range []string{
		at("a/fixed") + ": is immutable (chattr -i)", at("a/full/inner") + ": its directory is immutable (chattr -i)",
		at("b/log") + ": is append-only (chattr -a)", "left in " + aside(""),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("no permission error: %v", err)
	}
	for _, name := range []string{"a/fixed", "a/full", "b/log"} {
		setFlags(t, aside(name), 0)
	}
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
}

// removeAs removes as another user, and returns what that one is told.
func removeAs(t *testing.T, uid int, dir, name string) string {
	t.Helper()
	place := t.TempDir()
	must(t, os.Chmod(filepath.Dir(place), 0o755), os.Chmod(place, 0o755))
	binary := filepath.Join(place, "bundle.test")
	copyExecutable(t, binary)
	cmd := exec.Command(binary, roleRemove, dir, name)
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// What another user owns stays, and its owner is named; what that one lets go
// goes.
func TestRemoveNamesTheOwner(t *testing.T) {
	testenv.NeedRoot(t)
	dir := scratch(t)
	at := func(name string) string { return filepath.Join(dir, "tree", name) }
	must(t, os.MkdirAll(at("sticky/full"), 0o755), os.MkdirAll(at("closed/inner"), 0o755), os.MkdirAll(at("open/mine"), 0o755),
		os.WriteFile(at("sticky/file"), nil, 0o666), os.WriteFile(at("sticky/mine"), nil, 0o666), os.WriteFile(at("open/file"), nil, 0))
	for name, owner := range map[string]int{".": testUID, "sticky": 7001, "sticky/file": 7002, "sticky/full": 7002, "closed": 7003, "closed/inner": 7003, "open": 7004, "open/mine": testUID, "sticky/mine": testUID} {
		must(t, os.Chown(at(name), owner, owner))
	}
	must(t, unix.Chmod(at("sticky"), 0o1777), os.Chmod(at("closed"), 0o700), os.Chmod(at("open"), 0o777), os.Chown(dir, testUID, testUID))
	said := removeAs(t, testUID, dir, "tree")
	for _, want := range []string{at("sticky/file") + ": belongs to uid 7002", at("sticky/full") + ": belongs to uid 7002", at("closed") + ": belongs to uid 7003"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s\ndoes not say %q", said, want)
		}
	}
	aside := filepath.Join(dir, asideName("tree"))
	onlyHolds(t, aside, "sticky", "closed")
	onlyHolds(t, filepath.Join(aside, "sticky"), "file", "full")
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{}))
	onlyHolds(t, dir)
}

// strewn is a tree to be made by root of a namespace.
type strewn struct{ Dir string }

// strew makes a tree that other ids own, and one of whose directories is closed.
func strew(_ context.Context, s strewn) (noOptions, error) {
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	errs := []error{os.MkdirAll(at("data/inner/closed"), 0o700), os.WriteFile(at("data/inner/closed/f"), nil, 0o600), os.Mkdir(at("tmp"), 0o700), unix.Chmod(at("tmp"), 0o1777),
		os.WriteFile(at("tmp/f"), nil, 0o600), os.Mkdir(at("open"), 0o755), os.WriteFile(at("open/f"), nil, 0)}
	for name, owner := range map[string]int{"data/inner/closed/f": 33, "data/inner/closed": 33, "data/inner": 999, "data": 999, "tmp/f": 33} {
		errs = append(errs, os.Chown(at(name), owner, owner))
	}
	return noOptions{}, errors.Join(append(errs, os.Chmod(at("data/inner/closed"), 0))...)
}

func TestRemoveOfSubordinateIDs(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	dir, ids, helper := scratch(t), rangeIDs(t), helperOptions().Helper
	tree := filepath.Join(dir, "tree")
	must(t, os.Mkdir(tree, 0o700))
	_, err := inNamespace[noOptions](context.Background(), helper, ids, "strew", strewn{tree})
	must(t, err)
	uid := ids.UIDs[1].Host + 999 - ids.UIDs[1].Container
	aside := filepath.Join(dir, asideName("tree"))
	for _, o := range []RemoveOptions{{}, {IDs: ids}, {Helper: helper}, {IDs: SingleID(os.Getuid(), os.Getgid()), Helper: helper}} {
		err := Remove(context.Background(), dir, "tree", o)
		if want := fmt.Sprintf("remove %s/data: belongs to uid %d", tree, uid); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		onlyHolds(t, aside, "data")
	}
	err = Remove(context.Background(), dir, "tree", RemoveOptions{IDs: ids, Helper: []string{"/bin/false"}})
	if err == nil || !strings.Contains(err.Error(), "belongs to uid") || !strings.Contains(err.Error(), "namespace") {
		t.Errorf("a helper that fails: %v", err)
	}
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{IDs: ids, Helper: helper}))
	onlyHolds(t, dir)
}

// What stays in the second pass is named by the path that it had, too.
func TestRemoveOfSubordinateIDsNamesWhatIsLeft(t *testing.T) {
	if !asRangeUser(t) {
		return
	}
	dir, ids, helper := scratch(t), rangeIDs(t), helperOptions().Helper
	tree := filepath.Join(dir, "tree")
	must(t, os.Mkdir(tree, 0o700))
	_, err := inNamespace[noOptions](context.Background(), helper, ids, "strew", strewn{tree})
	must(t, err)
	narrow := IDMap{UIDs: append([]IDRange{}, ids.UIDs...), GIDs: ids.GIDs}
	narrow.UIDs[1].Size = 100 // without 999
	err = Remove(context.Background(), dir, "tree", RemoveOptions{IDs: narrow, Helper: helper})
	if err == nil || !strings.Contains(err.Error(), "remove "+tree+"/data: belongs to nobody, or to a uid that is not mapped") {
		t.Errorf("error %v", err)
	}
	onlyHolds(t, filepath.Join(dir, asideName("tree")), "data")
	must(t, Remove(context.Background(), dir, "tree", RemoveOptions{IDs: ids, Helper: helper}))
	onlyHolds(t, dir)
}
