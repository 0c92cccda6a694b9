package main

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

const dropCaches = "/proc/sys/vm/drop_caches"

// canDropCaches is nil where we may.
func canDropCaches() error {
	f, err := os.OpenFile(dropCaches, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// settle leaves the file system with nothing to write back, and for a cold sample
// the kernel with nothing of it in memory; but the programs are, since it is the
// tree that is to be cold.
func (b *bench) settle(ctx context.Context, dir string, cold bool) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return os.NewSyscallError("syncfs", err)
	}
	if !cold {
		return nil
	}
	if err := os.WriteFile(dropCaches, []byte("3"), 0); err != nil {
		return err
	}
	for _, p := range peers {
		_ = b.do(ctx, p.Argv...) // one that is missing is said elsewhere
	}
	_ = b.do(ctx, "sh", "-c", ":")
	return b.do(ctx, b.call("nothing")...)
}
