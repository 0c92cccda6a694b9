package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatewayd/gatewayd/test/bench/service"
)

// bench is one run: what it has made, what runs, and what it has measured.
type bench struct {
	options
	dir     string // of its own, below the user's cache directory
	self    string // path of this program
	units   map[string]*service.Unit
	running map[string]bool
	result  Result
}

// a row is measured for all columns before the next one is.
type row struct {
	key     string
	measure func(context.Context)
}

func (b *bench) rows() []row {
	return []row{
		{"kills", b.measureKills}, {"slow", b.measureSlow}, {"crash", b.measureCrashes}, {"deploy", b.measureDeploys},
		{"restart", b.measureRestarts}, {"reexec", b.measureReexec}, {"paths", b.measurePaths}, {"memory", b.measureMemory},
	}
}

// columns are those of the keys that are wanted.
func (b *bench) columns(keys ...string) (wanted []string) {
	for _, key := range keys {
		if b.beside.MatchString(key) {
			wanted = append(wanted, key)
		}
	}
	return wanted
}

// setUp makes the files of all units. A bench that is returned beside an error
// still has to be cleaned up.
func setUp(ctx context.Context, o options) (*bench, error) {
	b := &bench{options: o, units: map[string]*service.Unit{}, running: map[string]bool{}, result: newResult(o)}
	cache, err := os.UserCacheDir()
	if err == nil {
		err = os.MkdirAll(cache, 0o700)
	}
	if err == nil {
		b.dir, err = os.MkdirTemp(cache, service.Prefix)
	}
	if err != nil {
		return nil, err
	}
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if err := b.define(ctx); err != nil {
		return b, err
	}
	for _, u := range b.units {
		if err := u.Write(service.Directory()); err != nil {
			return b, err
		}
	}
	_, err = service.Systemctl(ctx, "daemon-reload")
	return b, err
}

// tree is a root file system that holds the binary alone. podman makes
// directories in its own.
func (b *bench) tree(name string) (string, error) {
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Join(path, "run"), 0o755); err != nil {
		return "", err
	}
	return path, service.Stage(b.binary, filepath.Join(path, "gatewayd"))
}

// start has a unit run and settled.
func (b *bench) start(ctx context.Context, key string) (*service.Unit, error) {
	u := b.units[key]
	if b.running[key] {
		return u, nil
	}
	b.running[key] = true
	if _, err := u.Start(ctx); err != nil {
		return nil, err
	}
	return u, settle(ctx, u)
}

// stop ends units, so that they do not disturb what comes next.
func (b *bench) stop(ctx context.Context, keys ...string) {
	for _, key := range keys {
		if b.running[key] {
			delete(b.running, key)
			b.complain(b.units[key].Stop(ctx))
		}
	}
}

func (b *bench) stopAll(ctx context.Context) {
	for key := range b.running {
		b.stop(ctx, key)
	}
}

// complain tells of what changes no figure.
func (b *bench) complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
	}
}

func (b *bench) cleanUp(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	b.stopAll(ctx)
	var errs []error
	for _, u := range b.units {
		errs = append(errs, u.Remove(service.Directory()))
	}
	_, err := service.Systemctl(ctx, "daemon-reload")
	return errors.Join(append(errs, err, os.RemoveAll(b.dir))...)
}

// oneLine of an error, for a cell of a table.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSpace(line)
}
