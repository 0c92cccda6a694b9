package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	suspendTime = 15 * time.Second // for everything that is on its way to come to rest
	checkTime   = 5 * time.Second  // for the new binary to read the state
)

// reexec becomes the binary that is on the disk now, and returns only when that
// cannot be; everything goes on as before then.
func (d *daemon) reexec() error {
	ctx, cancel := context.WithTimeout(d.signals.context(), suspendTime)
	defer cancel()
	err := d.tryReexec(ctx)
	d.log.Error("the binary on the disk does not take over, this gatewayd goes on", event("reexec-refused"), zap.Error(err))
	return err
}

func (d *daemon) tryReexec(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if err := d.awaitRemoved(ctx); err != nil {
		return err
	}
	binary, err := d.openBinary()
	if err != nil {
		return err
	}
	defer func() { _ = binary.Close() }()
	to, err := d.rehearse(ctx, binary)
	if err != nil {
		return err
	}
	d.awaitRelayed(ctx)
	_ = d.notifier.Reloading("becoming gatewayd " + to)
	d.log.Info("gatewayd "+version+" becomes "+to, event("reexec-started"))
	d.writeBooks() // while nothing is suspended
	d.writeHolds(ctx)
	err = d.become(ctx, binary)
	if d.signals.context().Err() == nil { // else STOPPING=1 is what counts
		_ = d.notifier.Ready(d.summary().Status)
	}
	return err
}

// rehearse has the new binary read the state as it is, while everything goes on.
func (d *daemon) rehearse(ctx context.Context, binary *os.File) (to string, err error) {
	sealed, goOn, err := d.pack(ctx)
	if err != nil {
		return "", err
	}
	goOn()
	defer func() { _ = sealed.Close() }()
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return sealed.Check(ctx, binary.Name(), "takeover")
}

// become holds everything and executes the binary that was checked.
func (d *daemon) become(ctx context.Context, binary *os.File) error {
	sealed, goOn, err := d.pack(ctx)
	if err != nil {
		return err
	}
	defer goOn()
	defer func() { _ = sealed.Close() }()
	for _, entry := range d.gateways.all() {
		d.save(entry) // what has happened since
	}
	if err := d.flush(ctx, farewellTime); err != nil {
		return fmt.Errorf("write to the journal what would be lost: %w", err)
	}
	if err := sameBinary(binary); err != nil {
		return err
	}
	return d.onMainThread(ctx, func() error {
		defer d.signals.catch() // again
		return sealed.Exec(binary.Name(), os.Args, d.env.list(d.secretVariables()...), d.signals.settled)
	})
}

// binaryPath is where the next image comes from: the path that this one was
// started by, which an upgrade may have made a link to another file, else the
// file's own.
func (d *daemon) binaryPath() string {
	if filepath.IsAbs(os.Args[0]) {
		return os.Args[0]
	}
	return d.host.Self
}

// openBinary holds the file that is there now. No other one can get its inode.
func (d *daemon) openBinary() (*os.File, error) {
	file, err := os.OpenFile(d.binaryPath(), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would wait for its other end
	if err != nil {
		return nil, fmt.Errorf("open the new gatewayd: %w", err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("open the new gatewayd: %s is no regular file", file.Name()), err, file.Close())
	}
	return file, nil
}

func sameBinary(checked *os.File) error {
	was, err := checked.Stat()
	if err != nil {
		return err
	}
	is, err := os.Stat(checked.Name())
	if err == nil && (!os.SameFile(was, is) || was.ModTime() != is.ModTime() || was.Size() != is.Size()) {
		err = fmt.Errorf("%s was replaced while it was checked: try again", checked.Name())
	}
	return err
}

// upgraded tells whether the binary on the disk is another one than runs.
func (d *daemon) upgraded() bool {
	is, err := os.Stat(d.binaryPath())
	if err != nil {
		return false // it is being replaced, or gone for good
	}
	runs, err := os.Stat("/proc/self/exe")
	return err == nil && !os.SameFile(is, runs)
}

// Reexec asks the watch, which alone knows whether the daemon is up.
func (d *daemon) Reexec(ctx context.Context) error {
	if d.options.temporary {
		return errors.New("become a new gatewayd: demo has staged this one, stop it and start it again")
	}
	answer := make(chan error, 1)
	select {
	case d.reexecs <- answer:
	case <-d.signals.context().Done():
		return errors.New("become a new gatewayd: this one is about to end")
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-answer
}

// serveReexec answers a request, on the watch's behalf. Who asked may have gone;
// a new gatewayd is wanted all the same.
func (d *daemon) serveReexec(answer chan<- error) {
	if !d.announced {
		answer <- errors.New("become a new gatewayd: the gateways are still starting")
		return
	}
	go func() { answer <- d.reexec() }()
}
