package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// More names than one call returns, of every length and byte.
func TestListIsComplete(t *testing.T) {
	dir := scratch(t)
	want := []string{everyByte()}
	for i := range 2000 {
		want = append(want, fmt.Sprintf("%d-%0*d", i, i%200+1, i))
	}
	for _, name := range want {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o700), os.Symlink("x", filepath.Join(dir, "l")))
	opened, err := os.Open(dir)
	must(t, err)
	defer opened.Close()
	kinds := map[string]uint8{}
	for buf := make([]byte, 4096); ; {
		entries, err := list(int(opened.Fd()), buf, nil)
		must(t, err)
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			kinds[e.name] = e.kind
		}
	}
	if kinds["d"] != unix.DT_DIR || kinds["l"] != unix.DT_LNK || len(kinds) != len(want)+2 {
		t.Errorf("%d names, d is %d, l is %d", len(kinds), kinds["d"], kinds["l"])
	}
	if i := slices.IndexFunc(want, func(name string) bool { return kinds[name] != unix.DT_REG }); i >= 0 {
		t.Errorf("%q has type %d", want[i], kinds[want[i]])
	}
}
