package secrets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
)

// credential is a file of the directory that systemd has made for this service.
func (from Sources) credential(name string) ([]byte, error) {
	dir, ok := from.Lookup(config.CredentialsVariable)
	if !ok || !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%w: gatewayd has no credentials: its unit wants LoadCredential= or SetCredentialEncrypted=", ErrAbsent)
	}
	return readFile(filepath.Join(dir, name)) // a name has no slash in it
}

// readFile reads a file that belongs to us or to root and that nobody else may
// read. What is judged is what was opened: the path could lead elsewhere a moment
// later. Not by os.Root, which follows a symbolic link that stays beneath it,
// whatever the flags say.
func readFile(path string) ([]byte, error) {
	// O_NONBLOCK: a FIFO would wait for its other end.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, unfit("it is a symbolic link: name the file that it leads to")
	}
	if err != nil {
		return nil, absence(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(info, os.Geteuid()); err != nil {
		return nil, err
	}
	return readAll(file)
}

func absence(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return err
}

// private finds fault with a file that somebody else may have read or written.
// What root has, it may let a group of ours read.
func private(info os.FileInfo, euid int) error {
	if !info.Mode().IsRegular() {
		return unfit("it is no regular file")
	}
	owner, open := int(info.Sys().(*syscall.Stat_t).Uid), fs.FileMode(0o077)
	if owner == 0 && euid != 0 {
		open = 0o037
	}
	switch {
	case owner != euid && owner != 0:
		return unfit(fmt.Sprintf("it belongs to uid %d: want uid %d, who runs gatewayd, or root", owner, euid))
	case info.Mode().Perm()&open != 0:
		return unfit(fmt.Sprintf("its mode is %04o, so that others may have it: chmod 0400", info.Mode().Perm()))
	}
	return nil
}

// readAll reads at most a byte more than a value may have. It is one buffer from
// the beginning: one that grows would leave copies behind.
func readAll(r io.Reader) ([]byte, error) {
	buffer := make([]byte, MaxSize+1)
	n, err := io.ReadFull(r, buffer)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		clear(buffer)
		return nil, err
	}
	value := append(make([]byte, 0, n), buffer[:n]...)
	clear(buffer)
	return value, nil
}
