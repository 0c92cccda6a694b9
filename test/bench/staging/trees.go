package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// a tree is what is copied, removed and digested. It is made when it is needed.
type tree struct {
	name  string
	place string // the directory that it is in
	dir   string
	tar   string // unpacked from this; "": files of a size
	files int
	size  int64
	grown time.Time // zero: not yet
	is    answer
}

// Keys of the trees.
const (
	tenFiles   = "10-files"
	rootfs     = "rootfs"
	oneFile    = "one-file"
	manyFiles  = "100k-files"
	tenthFiles = "10k-files" // a tenth of that
	reflinked  = "reflink-one-file"
	littleFile = "reflink-small-file"
)

// allTrees places them; those of reflink are left out where there is none.
func allTrees(o options, place, reflink string) map[string]*tree {
	trees := map[string]*tree{
		tenFiles:   {name: "10 files", files: 10, size: 4 << 10},
		oneFile:    {name: "one file", files: 1, size: 1_000_000_000 / int64(o.scale)},
		tenthFiles: {name: "small files in one directory", files: 10_000 / o.scale, size: 512},
		manyFiles:  {name: "small files in one directory", files: 100_000 / o.scale, size: 512},
	}
	if o.tree != "" {
		trees[rootfs] = &tree{name: o.treeName, tar: o.tree}
	}
	for _, t := range trees {
		t.place = place
	}
	if reflink != "" {
		trees[reflinked] = &tree{name: "one file, with reflinks", files: 1, size: 1_000_000_000 / int64(o.scale), place: reflink}
		trees[littleFile] = &tree{name: "one file, with reflinks", files: 1, size: 1_000_000 / int64(o.scale), place: reflink}
	}
	for key, t := range trees {
		t.dir = filepath.Join(t.place, key)
	}
	return trees
}

// grow makes t, once.
func (b *bench) grow(ctx context.Context, t *tree) error {
	if !t.grown.IsZero() {
		return nil
	}
	if err := b.plant(ctx, t); err != nil {
		return fmt.Errorf("make %s: %w", t.name, err)
	}
	t.grown = time.Now()
	var err error
	t.is, err = b.count(ctx, t.dir)
	return err
}

func (b *bench) plant(ctx context.Context, t *tree) error {
	if t.tar == "" {
		return b.do(ctx, b.call("grow", t.dir, strconv.Itoa(t.files), strconv.FormatInt(t.size, 10))...)
	}
	if err := b.do(ctx, "mkdir", t.dir); err != nil {
		return err
	}
	return b.do(ctx, "tar", "-C", t.dir, "-xp", "--no-same-owner", "--exclude=./dev/*", "-f", t.tar)
}

func (t *tree) String() string {
	if t.files == 1 {
		return fmt.Sprintf("%s of %s", t.name, size(t.is.Bytes))
	}
	return fmt.Sprintf("%s: %s entries, %s", t.name, grouped(t.is.Entries), size(t.is.Bytes))
}

// grouped writes 12345 as 12,345.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func size(bytes int64) string {
	units := []string{"bytes", "KB", "MB", "GB"}
	n, unit := float64(bytes), 0
	for n >= 1000 && unit < len(units)-1 {
		n, unit = n/1000, unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") + " " + units[unit]
}
