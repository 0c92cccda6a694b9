package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	runc "github.com/containerd/go-runc"

	"github.com/gatewayd/gatewayd/internal/step"
)

// Delete removes what the runtime keeps of the container id: by delete --force,
// and then the directory itself where the runtime cannot (a killed create
// leaves one that no command of it can load). Absent: nil. Idempotent.
//
// Let the container end first, by Leaf.Kill or SIGKILL to Process, and Reap
// only after Delete: youki sends SIGKILL to the pid in its state when that pid
// runs, whoever has got it meanwhile. While the zombie is there, nobody has.
//
// The error is a *CommandError: the call was killed (the directory is gone all
// the same, unless the error says otherwise), or the directory could not be
// removed. What the runtime refuses is no error once the directory is gone.
func (r *Runtime) Delete(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return &CommandError{Op: "delete", ID: id, Err: err}
	}
	log := filepath.Join(r.root, "."+id+".delete.log")
	defer os.Remove(log)
	defer removeStrays(id)
	exists, err := r.exists(id)
	if err != nil || !exists {
		return err
	}
	c, err := r.newCall("delete", id, log)
	if err != nil {
		return &CommandError{Op: "delete", ID: id, Err: err}
	}
	called := c.run(ctx, func(ctx context.Context) error {
		return r.client(log).Delete(ctx, id, &runc.DeleteOpts{Force: true})
	})
	step.Done("container-deleted")
	removed := r.removeState(id)
	if removed != nil {
		return &CommandError{Op: "delete", ID: id, Err: errors.Join(removed, called)}
	}
	if errors.As(called, new(*noAnswer)) {
		return called
	}
	return nil
}

func (r *Runtime) exists(id string) (bool, error) {
	_, err := os.Lstat(filepath.Join(r.root, id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, &CommandError{Op: "delete", ID: id, Err: err}
	}
	return true, nil
}

// removeState goes through os.Root: what lies in the directory cannot lead the
// removal out of it.
func (r *Runtime) removeState(id string) error {
	root, err := os.OpenRoot(r.root)
	if err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	defer root.Close()
	if err := root.RemoveAll(id); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	step.Done("runtime-state-removed")
	return nil
}
