package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// grow makes the directory args[0] with args[1] files of args[2] bytes each, of
// random content: a file system must not save itself the work.
func grow(_ context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("grow: want a directory, a number and a size")
	}
	files, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	if err := os.Mkdir(args[0], 0o755); err != nil {
		return err
	}
	for i := range files {
		if err := fill(filepath.Join(args[0], fmt.Sprintf("file-%06d", i)), size); err != nil {
			return err
		}
	}
	return nil
}

func fill(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, size)
	if err != nil {
		_ = f.Close() // the first error is the one that counts
		return err
	}
	return f.Close()
}

// closeSome gives every tenth directory of a tree mode 0000, the deepest first.
func closeSome(_ context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("close: want a tree")
	}
	var dirs []string
	err := filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != args[0] {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if i%10 != 0 {
			continue
		}
		if err := os.Chmod(dirs[i], 0); err != nil {
			return err
		}
	}
	return nil
}

// count says how large a tree is. One that is not there has no entries.
func count(_ context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("count: want a tree")
	}
	var a answer
	linked := map[uint64]bool{}
	err := filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) && path == args[0] {
			return nil
		}
		if err != nil {
			return err
		}
		a.Entries++
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
			if linked[stat.Ino] {
				return nil
			}
			linked[stat.Ino] = true
		}
		a.Bytes += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	return a.say()
}
