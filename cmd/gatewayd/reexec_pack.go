package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatewayd/gatewayd/internal/handover"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// pack holds all gateways, launches and ports as they are, and seals what the
// next image needs. Everything goes on with goOn, or after an error.
func (d *daemon) pack(ctx context.Context) (sealed *handover.Sealed, goOn func(), err error) {
	var held holds
	if sealed, err = d.packAll(ctx, &held); err != nil {
		held.release()
		return nil, nil, err
	}
	return sealed, held.release, nil
}

// holds are released in the reverse order.
type holds []func()

func (h *holds) add(release func()) { *h = append(*h, release) }

func (h *holds) release() {
	for _, release := range slices.Backward(*h) {
		release()
	}
}

func (d *daemon) packAll(ctx context.Context, held *holds) (*handover.Sealed, error) {
	if err := d.restConfirming(ctx); err != nil {
		return nil, err
	}
	states, err := d.supervisor.Suspend(ctx)
	if err != nil {
		return nil, err
	}
	held.add(d.supervisor.Continue)
	h := &handed{
		Name: d.options.name, Images: d.images() + 1, Held: time.Now(), Level: d.level.String(),
		Unswept: d.unswept, Longest: d.gateways.longestStop(),
	}
	parcel := handover.New(version)
	if err := d.packGateways(ctx, h, states, parcel, held); err != nil {
		return nil, err
	}
	h.Secrets = d.redact.Values() // with all that the launches have
	h.Environment = d.env.only(d.secretVariables())
	if err := d.packRuntime(ctx, h, parcel, held); err != nil {
		return nil, err
	}
	if h.Overlays, err = d.host.Overlays(ctx); err != nil {
		return nil, err
	}
	if err := d.packOwn(parcel); err != nil {
		return nil, err
	}
	release, err := d.host.PackLent(parcel.Add)
	held.add(release)
	if err != nil {
		return nil, err
	}
	return parcel.Seal(h)
}

func (d *daemon) packGateways(ctx context.Context, h *handed, states map[string]supervisor.State, parcel *handover.Parcel, held *holds) error {
	for _, entry := range d.gateways.all() {
		state, ok := states[entry.file.Name]
		if !ok {
			continue // it was removed meanwhile
		}
		held.add(entry.hold())
		launcher, err := entry.launcher.Suspend(ctx, parcel.Add)
		if err != nil {
			return err
		}
		h.Gateways = append(h.Gateways, handedGateway{
			File: entry.file, Newest: entry.defined.newestRevision(), State: state, Launcher: launcher,
		})
	}
	return nil
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

// packRuntime packs a copy of the runtime program.
func (d *daemon) packRuntime(ctx context.Context, h *handed, parcel *handover.Parcel, held *holds) error {
	h.Runtime.Want = d.opening.want
	if _, err := d.opening.wait(ctx); err != nil {
		h.Runtime.Error = err.Error() // the next image looks for one anew
		return ctx.Err()
	}
	h.Runtime.Binary = d.opening.program()
	program, err := h.Runtime.Binary.File()
	if err != nil {
		return err
	}
	held.add(func() { _ = program.Close() })
	return parcel.Add(fileRuntime, program)
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
