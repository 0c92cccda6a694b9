package inside

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// TryOverlay does to "/" what programs do to their root and a half-working
// overlay refuses: it writes, changes and removes what is there, and makes anew
// what was removed. The kernel needs extended attributes in the user namespace
// for some of it, and on a file system without them it fails only here: with EIO,
// at the removal of a lower directory.
func TryOverlay() error {
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"write a new file", func() error { return os.WriteFile("/new", []byte("new"), 0o600) }},
		{"change a file of the tree", func() error { return os.WriteFile("/d/f", []byte("upper"), 0o600) }},
		{"change a mode", func() error { return os.Chmod("/d/f", 0o640) }},
		{"rename a file of the tree", func() error { return os.Rename("/d/f", "/d/g") }},
		{"remove a directory of the tree", func() error { return os.RemoveAll("/d") }},
		{"make it again", func() error { return os.Mkdir("/d", 0o700) }},
		{"find it empty", empty},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s in the overlay: %w", step.name, err)
		}
	}
	return nil
}

// CodePassing is what a process that tried an overlay exits with when the machine
// was short of something: EX_TEMPFAIL of sysexits.h.
const CodePassing = 75

// OverlayCode is the exit code for an error of TryOverlay.
func OverlayCode(err error) int {
	if err == nil {
		return 0
	}
	for _, passing := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, passing) {
			return CodePassing
		}
	}
	return 1
}

func empty() error {
	entries, err := os.ReadDir("/d")
	if err == nil && len(entries) > 0 {
		err = errors.New("what was removed shows again")
	}
	return err
}
