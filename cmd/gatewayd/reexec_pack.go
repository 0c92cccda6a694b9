package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gatewayd/gatewayd/internal/handover"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// pack holds all gateways, launches and ports as they are, and seals what the
// next image needs. Everything goes on with goOn, or after an error.
func (d *daemon) pack(ctx context.Context) (sealed *handover.Sealed, goOn func(), err error) {
	var undo []func()
	goOn = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			goOn()
		}
	}()
	if err := d.restConfirming(ctx); err != nil {
		return nil, nil, err
	}
	states, err := d.supervisor.Suspend(ctx)
	if err != nil {
		return nil, nil, err
	}
	undo = append(undo, d.supervisor.Continue)
	parcel := handover.New(version)
	h := &handed{
		Name: d.options.name, Images: d.images() + 1, Held: time.Now(), Level: d.level.String(),
		Unswept: d.unswept, Longest: d.gateways.longestStop(),
	}
	for _, entry := range d.gateways.all() {
		state, ok := states[entry.file.Name]
		if !ok {
			continue // it was removed meanwhile
		}
		undo = append(undo, entry.hold())
		packed, err := packGateway(ctx, entry, state, parcel)
		if err != nil {
			return nil, nil, err
		}
		h.Gateways = append(h.Gateways, packed)
	}
	closeRuntime, err := d.packRuntime(ctx, h, parcel)
	if err != nil {
		return nil, nil, err
	}
	undo = append(undo, closeRuntime)
	if h.Overlays, err = d.host.Overlays(ctx); err != nil {
		return nil, nil, err
	}
	if err := d.packOwn(parcel); err != nil {
		return nil, nil, err
	}
	sealed, err = parcel.Seal(h)
	return sealed, goOn, err
}

// hold keeps what is known of the gateway's revisions, and its listeners with
// them, as it is until the function that it returns is called.
func (g gateway) hold() (release func()) {
	g.defined.changing.Lock()
	return func() {
		g.launcher.Continue()
		g.defined.changing.Unlock()
	}
}

func packGateway(ctx context.Context, entry gateway, state supervisor.State, parcel *handover.Parcel) (handedGateway, error) {
	launcher, err := entry.launcher.Suspend(ctx, parcel.Add)
	return handedGateway{File: entry.file, Newest: entry.defined.newestRevision(), State: state, Launcher: launcher}, err
}

// packRuntime packs the copy of the runtime program. What it returns closes ours.
func (d *daemon) packRuntime(ctx context.Context, h *handed, parcel *handover.Parcel) (closeCopy func(), err error) {
	h.Runtime.Want = d.opening.want
	if _, err := d.opening.wait(ctx); err != nil {
		h.Runtime.Error = err.Error() // the next image looks for one anew
		return func() {}, ctx.Err()
	}
	h.Runtime.Binary = d.opening.program()
	program, err := h.Runtime.Binary.File()
	if err != nil {
		return nil, err
	}
	return func() { _ = program.Close() }, parcel.Add(fileRuntime, program)
}

// packOwn packs what belongs to the daemon as a whole.
func (d *daemon) packOwn(parcel *handover.Parcel) error {
	if err := parcel.Add(fileLock, d.lock.File()); err != nil {
		return err
	}
	return parcel.Add(fileControl, d.listener)
}

// restConfirming waits for the throw-away container that tries overlays.
func (d *daemon) restConfirming(ctx context.Context) error {
	confirmed := make(chan struct{})
	go func() {
		d.confirming.Wait()
		close(confirmed)
	}()
	select {
	case <-confirmed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the container that tries overlays: %w", ctx.Err())
	}
}

// images is how many there were before this one.
func (d *daemon) images() int {
	if d.takeover == nil {
		return 0
	}
	return d.takeover.Count
}
