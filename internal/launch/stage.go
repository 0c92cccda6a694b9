package launch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/gatewayd/gatewayd/internal/staging"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Helper is how gatewayd starts itself in a user namespace (see package bundle).
var Helper = []string{"/proc/self/exe", "stage"}

// stage makes the root of the launch.
func (la *launch) stage(ctx context.Context) error {
	source, err := la.source()
	if err != nil {
		return permanent(err)
	}
	if la.ids, err = la.host.idMap(la.gateway); err != nil {
		return permanent(err)
	}
	request := staging.Request{
		Source: source, Dest: filepath.Join(la.host.Dirs.Rootfs(), la.id),
		IDs: la.ids, Staging: la.gateway.Staging,
		ReadOnly: la.gateway.Isolation.ReadOnly, Bare: la.gateway.Isolation.Bare, Trusting: la.trying,
	}
	if la.packaged != nil {
		request.ReadOnly = request.ReadOnly || la.packaged.Spec.Root.Readonly
		if request.SourceIDs, err = la.packaged.IDs(); err != nil {
			return permanent(err)
		}
	}
	la.staged, err = la.host.staging().Stage(ctx, request)
	if err != nil {
		return lasting(err)
	}
	la.tellStaged(source)
	return nil
}

func lasting(err error) error {
	if staging.Lasting(err) {
		return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
	}
	return err
}

// source returns the tree to stage. A packaged bundle is read anew for each
// launch, so that one which was upgraded in place is taken as it is now.
func (la *launch) source() (string, error) {
	if la.gateway.Bundle == "" {
		return la.gateway.Rootfs, nil
	}
	packaged, err := bundle.Open(la.gateway.Bundle)
	if err != nil {
		return "", err
	}
	la.packaged = packaged
	return packaged.Rootfs, nil
}

func (la *launch) tellStaged(source string) {
	st := la.staged
	la.tell(func(i *Info) {
		i.Stage, i.StageReason, i.Digest, i.IDs = st.Mode, st.Why, st.Digest, la.gateway.Staging.IDs
	})
	fields := append(la.fields("staged"), zap.String("stage", st.Mode), zap.String("digest", st.Digest), zap.String("source", source))
	if st.Why != "" {
		fields = append(fields, zap.String("stage_reason", st.Why))
	}
	la.host.log().Debug(la.title()+" is staged by "+st.Mode, fields...)
	for what, paths := range map[string]bundle.Paths{
		"set-user-ID bits were dropped (keep_setuid = true keeps them)": st.Copied.Setuid,
		"FIFOs, sockets and devices were left out (skip_special)":       st.Copied.Skipped,
	} {
		if paths.Count > 0 {
			la.host.log().Info(fmt.Sprintf("%s: %d %s: %q", la.title(), paths.Count, what, paths.First), fields...)
		}
	}
}

// title is how a launch is called in the log.
func (la *launch) title() string { return fmt.Sprintf("%s launch %d", la.gateway.Name, la.n) }

func (la *launch) fields(event string) []zap.Field {
	return []zap.Field{
		zap.String("event", event), zap.String("gateway", la.gateway.Name), zap.Int("launch", la.n), zap.String("container_id", la.id),
	}
}

// watchSource looks after the tree beneath an overlay for as long as the launch
// has it. Clean waits for it: what it reads with the help of another process is
// otherwise still under way when nothing of the launch should be left.
func (la *launch) watchSource() {
	ctx, done, err := la.asking.begin(context.Background())
	if err != nil {
		return // Clean has begun
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	la.stopWatch = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		defer done()
		defer cancel()
		la.staged.Watch(ctx, la.tellNews)
	}()
}

func (la *launch) tellNews(news staging.News) {
	change := ""
	if news.Changed {
		change = changeOf(news)
	}
	la.logNews(news, change)
	la.tell(func(i *Info) {
		if news.Changed || news.Err == nil { // else nothing is known anew
			i.SourceChanged = change
		}
		if !news.Changed && news.Digest != "" {
			i.Digest = news.Digest // what the launch began with
		}
	})
}

func (la *launch) logNews(news staging.News, change string) {
	fields := append(la.fields("source-changed"), zap.String("digest", news.Digest), zap.String("digest_before", news.Was))
	expected := la.info.Load().Digest
	switch {
	case news.Changed:
		la.host.log().Warn(la.title()+": the source has changed under the live overlay: "+change, fields...)
	case news.Err != nil:
		la.host.log().Warn(la.title()+": the source cannot be examined, its digest is not known", append(fields, zap.Error(news.Err))...)
	case expected != "" && expected != news.Digest:
		la.host.log().Info(la.title()+": the source is another one than at the launch before: it was "+expected+" and is "+news.Digest, fields...)
	}
	if news.Unfit != nil {
		la.host.log().Warn(la.title()+": the next launch cannot have an overlay of this source", append(fields, zap.Error(news.Unfit))...)
	}
}

// changeOf says what the change is, and what to do.
func changeOf(news staging.News) string {
	const advice = "; what the overlay shows of it is undefined: install upgrades at a new path, and restart the gateway"
	switch {
	case news.Err != nil:
		return news.Err.Error() + advice
	case news.Digest == news.Was:
		return "entries were replaced or touched, with the same digest as before" + advice
	}
	return fmt.Sprintf("it was %s and is %s", news.Was, news.Digest) + advice
}

// removeRoot removes what was staged, with whatever the container made of it.
func (la *launch) removeRoot(ctx context.Context) error {
	defer la.host.children.hold()() // the helper's process has no name among them
	return errors.Join(la.removeSockets(ctx),
		bundle.Remove(ctx, la.host.Dirs.Rootfs(), la.id, bundle.RemoveOptions{IDs: la.ids, Helper: Helper}))
}
