package bundle

import (
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// beMount is a container without a runtime: in a user and a mount namespace of
// its own it mounts an overlay as Plan would, gives up its capabilities, and is
// the wrecker of what it sees.
func beMount(mount, harm string) error {
	runtime.LockOSThread() // capabilities are a thread's
	var o Overlay
	if err := json.Unmarshal([]byte(mount), &o); err != nil {
		return err
	}
	m := o.mount()
	if err := unix.Mount(m.Source, o.Root, m.Type, unix.MS_NOSUID|unix.MS_NODEV, strings.Join(m.Options[2:], ",")); err != nil {
		return fmt.Errorf("mount %v: %w", m.Options, err)
	}
	if err := unix.Chroot(o.Root); err != nil { // links lead nowhere else
		return err
	}
	none := [2]unix.CapUserData{}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return err
	}
	return beWreck("/", harm)
}

// beWreck says how it finds the tree dir, and wrecks it. It writes in
// hexadecimal, since the file names are of any bytes.
func beWreck(dir, harm string) error {
	runtime.LockOSThread()
	text := hex.NewEncoder(os.Stdout)
	if err := gob.NewEncoder(text).Encode(describe(roleT{}, dir)); err != nil {
		return err
	}
	var does []wreckage
	if err := json.Unmarshal([]byte(harm), &does); err != nil {
		return err
	}
	done := 0
	for _, w := range does {
		if w.wreck(dir) == nil {
			done++
		}
	}
	fmt.Printf("\n%d done\nend of report\n", done)
	_, _ = os.ReadFile("/wait") // where there is such a file, for the end of the container
	return nil
}

// found is what beWreck wrote.
func found(t rapid.TB, report string) (tree map[string]string, done int) {
	t.Helper()
	described, rest, _ := strings.Cut(report, "\n")
	if err := gob.NewDecoder(hex.NewDecoder(strings.NewReader(described))).Decode(&tree); err != nil {
		t.Fatalf("%v: %.200s", err, report)
	}
	if _, err := fmt.Fscanf(strings.NewReader(rest), "%d done", &done); err != nil {
		t.Fatalf("%v: %.200s", err, rest)
	}
	return tree, done
}

// A wreckage is one thing that a hostile program does to two entries, which it
// takes by number from those that there are.
type wreckage struct{ Kind, One, Two int }

var wreckages = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wreckage {
	return wreckage{rapid.IntRange(0, len(wrecks)-1).Draw(t, "kind"), rapid.IntRange(0, 30).Draw(t, "one"), rapid.IntRange(0, 30).Draw(t, "two")}
}), 0, 12)

func (w wreckage) wreck(root string) error {
	var paths []string
	_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error { // as far as it gets
		paths = append(paths, path)
		return nil
	})
	return wrecks[w.Kind](paths[w.One%len(paths)], paths[w.Two%len(paths)])
}

// wrecks are what a program can do to a tree in which it is root.
var wrecks = []func(one, two string) error{
	os.Rename,
	func(one, two string) error { return os.Rename(one, filepath.Join(two, "moved")) },
	func(one, _ string) error { return os.Chmod(one, 0) },
	func(one, two string) error { return os.Link(one, filepath.Join(two, "linked")) },
	func(one, _ string) error { return os.RemoveAll(one) }, // whiteouts
	func(one, _ string) error { // an opaque directory
		if err := os.RemoveAll(one); err != nil {
			return err
		}
		return os.Mkdir(one, 0o100)
	},
	func(one, _ string) error { // out of the tree
		if err := os.RemoveAll(one); err != nil {
			return err
		}
		return os.Symlink("../../../../canary", one)
	},
	func(one, _ string) error { return os.WriteFile(one, []byte("wrecked"), 0o644) },
	func(one, _ string) error { return os.WriteFile(filepath.Join(one, "written"), []byte("wrecked"), 0) },
	func(one, _ string) error { return os.Truncate(one, 1) },
	func(one, _ string) error { return nest(one, 40) },
	func(one, _ string) error { return unix.Mkfifo(filepath.Join(one, "fifo"), 0) },
	func(one, _ string) error { return unix.Mknod(filepath.Join(one, "whiteout"), unix.S_IFCHR, 0) },
	func(one, _ string) error { return unix.Setxattr(one, "user.overlay.opaque", []byte("y"), 0) },
	func(one, _ string) error { return unix.Setxattr(one, "user.overlay.redirect", []byte("/../../.."), 0) },
	func(one, _ string) error { return unix.Setxattr(one, "user.note", []byte("wrecked"), 0) },
	makeImmutable,
}

// nest makes directories within each other, deeper than a path can say.
func nest(path string, levels int) error {
	at, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	name := strings.Repeat("d", 255)
	for ; err == nil && levels > 0; levels-- {
		if err = unix.Mkdirat(at, name, 0o700); err != nil {
			break
		}
		above := at
		if at, err = unix.Openat(above, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.Fchmod(above, 0)
		}
		_ = unix.Close(above)
	}
	if at >= 0 {
		_ = unix.Close(at)
	}
	return err
}

// makeImmutable would keep everybody from removing the file, and takes a
// capability of the host's (ioctl_iflags(2)).
func makeImmutable(path, _ string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	const immutable = 0x10
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, immutable)
}

// roleT is the test where there is none: a fault ends the program.
type roleT struct{ rapid.TB }

func (roleT) Helper()                           {}
func (roleT) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (roleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
