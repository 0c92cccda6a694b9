package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/inside"
	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

const (
	tryName = "overlay-probe"

	// tryTime bounds the throw-away container, which takes some 30 ms. It is over
	// before the launch that waits for the answer has to give up: that one is
	// copied.
	tryTime = 5 * time.Second

	// tidyTime bounds each time that it is cleaned, and tidyPause is the longest
	// pause before it is tried again.
	tidyTime  = 10 * time.Second
	tidyPause = time.Minute
)

// try runs the throw-away container, where the directory for upper ones could do
// at all. An error says that it came to nothing: neither the runtime nor the
// kernel has answered.
func (h *Host) try(ctx context.Context) (refusal, err error) {
	if refusal := bundle.CheckUpper(h.Dirs.Rootfs()); isPassing(refusal) {
		return nil, refusal
	} else if refusal != nil {
		return refusal, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	id, lower, err := bundle.MakeDir(h.Dirs.Rootfs(), tryName, 0, 0o700)
	if err != nil {
		return nil, err
	}
	l := NewLauncher(h)
	defer h.tidy(func(ctx context.Context) error {
		return errors.Join(l.Clean(ctx, 1), bundle.Remove(ctx, h.Dirs.Rootfs(), id, bundle.RemoveOptions{}))
	})
	if err := h.makeLower(lower); err != nil {
		return nil, err
	}
	err = h.tryOn(ctx, l, lower)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !answered(err):
		return nil, err
	case err != nil:
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")), nil
	}
	return nil, nil
}

// answered tells a no from a try that came to nothing: what was killed, or had no
// room, might have said yes.
func answered(err error) bool {
	if isPassing(err) {
		return false
	}
	if exit := new(supervisor.ExitError); errors.As(err, &exit) {
		return exit.Signal == 0 && exit.Code != inside.CodePassing
	}
	return runtime.Answered(err)
}

// makeLower makes a tree with something to change and to remove in it, which
// belongs to container root. The directory goes last: whoever has that id on the
// host gets in when there is nothing left to be done by a path.
func (h *Host) makeLower(dir string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.Mkdir(at("d"), 0o755), os.Mkdir(at("d/e"), 0o755), os.WriteFile(at("d/f"), []byte("lower"), 0o644))
	step.Done("overlay-sample-made")
	uid, gid := h.ids()
	for _, path := range []string{at("d/f"), at("d/e"), at("d"), dir} {
		if err == nil {
			err = os.Lchown(path, uid, gid)
		}
	}
	return err
}

// tidy removes what a try has made, however long the try took, and goes on in the
// background where that cannot be at once: nobody else knows of it before the next
// sweep, which may be months away.
func (h *Host) tidy(remove func(context.Context) error) {
	attempt := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), tidyTime)
		defer cancel()
		return remove(ctx)
	}
	err := attempt()
	if err == nil {
		return
	}
	h.log().Warn("what tried an overlay is not all cleaned, it is tried again until it is", zap.String("event", "clean-incomplete"), zap.Error(err))
	go func() {
		for pause := time.Second; err != nil; pause = min(2*pause, tidyPause) {
			time.Sleep(pause)
			err = attempt()
		}
	}()
}

// tryOn runs one launch like any other, but that it is staged on trust and that
// its words are kept for the refusal.
func (h *Host) tryOn(ctx context.Context, l *Launcher, lower string) error {
	g := config.Gateway{
		Name: tryName, Rootfs: lower, Command: []string{bundle.InitTarget, "try-overlay"},
		Staging:   config.Staging{Stage: staging.Overlay, IDs: "single", Verify: "never"},
		Isolation: config.Isolation{Network: bundle.NetworkHost, Seccomp: "unconfined", Init: true},
	}
	var said lines
	if err := l.Define(g.Revision(), g); err != nil {
		return err
	}
	l.trying, l.write = true, said.write
	exits, err := l.Prepare(ctx, 1, g.Revision())
	if err == nil {
		err = l.Start(ctx, 1)
	}
	if err == nil {
		select {
		case exit := <-exits:
			err = exit.Cause()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil && said.text() != "" {
		err = fmt.Errorf("%s (%w)", said.text(), err)
	}
	return err
}

// lines are what the throw-away container said.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) write(_ context.Context, line journal.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < 4 {
		l.all = append(l.all, string(line.Text))
	}
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "; ")
}
