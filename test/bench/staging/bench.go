package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/gatewayd/gatewayd/test/bench/machine"
)

// bench is one run: where it works, and as whom.
type bench struct {
	options
	self     string              // path of this program
	as       *syscall.Credential // nil: as who runs this
	places   []string            // directories that it made, to be removed
	warmOnly error               // why the kernel's caches cannot be dropped; nil: they can
	trees    map[string]*tree
}

// peers are the programs that ours are measured beside.
var peers = []machine.Program{
	{Name: "cp", Argv: []string{"cp", "--version"}},
	{Name: "rsync", Argv: []string{"rsync", "--version"}},
	{Name: "tar", Argv: []string{"tar", "--version"}},
	{Name: "rm", Argv: []string{"rm", "--version"}},
	{Name: "chmod", Argv: []string{"chmod", "--version"}},
	{Name: "find", Argv: []string{"find", "--version"}},
	{Name: "sha256sum", Argv: []string{"sha256sum", "--version"}},
}

// setUp makes the directories. A bench that is returned beside an error still has
// to be cleaned up.
func setUp(o options) (*bench, error) {
	b := &bench{options: o, warmOnly: errors.New("not asked for")}
	if o.cold {
		b.warmOnly = canDropCaches()
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if o.user != "" {
		if b.as, err = credential(o.user); err != nil {
			return nil, err
		}
	}
	main, err := b.place(o.dir)
	if err != nil {
		return b, err
	}
	reflink := ""
	if o.reflink != "" {
		if reflink, err = b.place(o.reflink); err != nil {
			return b, err
		}
	}
	b.trees = allTrees(o, main, reflink)
	return b, nil
}

// place makes a directory of our own in dir, for the user who is measured.
func (b *bench) place(dir string) (string, error) {
	place, err := os.MkdirTemp(dir, "bench-staging-")
	if err != nil {
		return "", err
	}
	b.places = append(b.places, place)
	if b.as == nil {
		return place, nil
	}
	return place, os.Chown(place, int(b.as.Uid), int(b.as.Gid))
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (b *bench) describe(ctx context.Context, o options) *Result {
	programs := append([]machine.Program{{Name: "gatewayd", Version: version}}, peers[:4]...)
	r := &Result{Machine: machine.Describe(ctx, programs...), Samples: o.samples, FileSystem: fileSystem(b.places[0]), On: o.on}
	if o.reflink != "" {
		r.Reflink = fileSystem(b.places[1])
	}
	if b.warmOnly != nil {
		r.WarmOnly = b.warmOnly.Error()
	}
	return r
}

// scrap removes a path without measuring it, whatever the modes below it.
func (b *bench) scrap(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return b.do(ctx, "sh", "-c", `rm -rf -- "$1" 2>/dev/null || { chmod -R u+rwx -- "$1" && rm -rf -- "$1"; }`, "sh", path)
}

func (b *bench) cleanUp(ctx context.Context) error {
	var errs []error
	for _, place := range b.places {
		entries, err := os.ReadDir(place)
		errs = append(errs, err)
		for _, e := range entries {
			errs = append(errs, b.scrap(ctx, filepath.Join(place, e.Name())))
		}
		errs = append(errs, os.Remove(place))
	}
	return errors.Join(errs...)
}

// do runs a command as the user who is measured, unmeasured.
func (b *bench) do(ctx context.Context, argv ...string) error {
	_, err := b.process(ctx, argv)
	return err
}

// installed is an error for a program that is not there.
func installed(name string) error {
	_, err := exec.LookPath(name)
	return err
}
