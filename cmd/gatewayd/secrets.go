package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// secretsRest is how long the files of secrets must have been left alone to be
// read again: several are often written one after the other. secretsPatience bounds
// the wait: one that is never left alone must not keep the others waiting.
const (
	secretsRest     = 200 * time.Millisecond
	secretsPatience = 2 * time.Second
)

// rest waits until nothing has happened for a while, or for too long.
type rest struct {
	over <-chan time.Time // nil: nothing has happened
	last time.Time        // when the wait is over in any case
}

func (r *rest) happened() {
	now := time.Now()
	if r.over == nil {
		r.last = now.Add(secretsPatience)
	}
	if !now.Add(secretsRest).After(r.last) {
		r.over = time.After(secretsRest)
	}
}

// keepSecrets follows the files that secrets come from until ctx ends. Other
// sources are asked at each reload.
func (d *daemon) keepSecrets(ctx context.Context) {
	watch, err := secrets.OpenWatch()
	if err != nil {
		d.log.Warn("secrets are not watched: a reload reads them again", event("secret-unread"), zap.Error(err))
		return
	}
	defer func() { _ = watch.Close() }()
	d.watchSecrets(watch)
	all := true // at first: nobody has looked before
	var rested rest
	rested.happened()
	var due, written []string // gateways, and those that have a file which was written
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-watch.Events():
			for _, path := range watch.Concerned(e) {
				written = d.addReaders(written, path)
				rested.happened()
			}
		case err := <-watch.Errors(): // too many events at once: anything may have changed
			d.log.Debug("all secrets are read again", event("secret-unread"), zap.Error(err))
			all = true
			rested.happened()
		case name := <-d.secretsDue:
			due = append(due, name)
			rested.happened()
		case <-rested.over:
			d.watchSecrets(watch) // directories come, too
			d.refreshAll(ctx, func(name string) bool { return all || slices.Contains(due, name) }, written)
			all, due, written, rested = false, nil, nil, rest{}
		}
	}
}

// lookAtSecrets has the files of a gateway's secrets read again soon: a launch
// that is there now may have been made while one changed. It is called by the
// supervisor's loops, which must not wait.
func (d *daemon) lookAtSecrets(name string) {
	select {
	case d.secretsDue <- name:
	default: // with so many at once, the next one comes soon
	}
}

func (d *daemon) watchSecrets(watch *secrets.Watch) {
	var paths []string
	for _, entry := range d.gateways.all() {
		for _, g := range append(entry.defined.all(), entry.file) {
			for _, s := range g.Secrets {
				if isFile(s) {
					paths = append(paths, s.Source.Name)
				}
			}
		}
	}
	_ = watch.Set(paths) // whose launches say what is missing
}

func isFile(s config.Secret) bool { return s.Source.Kind == config.SecretFile }

func anySource(config.Secret) bool { return true }

// addReaders adds the gateways that have a secret from this file and are not among
// names yet: a file may be written a thousand times before it rests.
func (d *daemon) addReaders(names []string, path string) []string {
	for _, entry := range d.gateways.all() {
		for _, g := range append(entry.defined.all(), entry.file) {
			from := func(s config.Secret) bool { return isFile(s) && s.Source.Name == path }
			if slices.ContainsFunc(g.Secrets, from) && !slices.Contains(names, entry.file.Name) {
				names = append(names, entry.file.Name)
			}
		}
	}
	return names
}

// refreshAll does not run beside a reload or a reexec.
func (d *daemon) refreshAll(ctx context.Context, due func(name string) bool, written []string) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	for _, entry := range d.gateways.all() {
		name := entry.file.Name
		if has := slices.Contains(written, name); has || due(name) {
			d.refresh(ctx, entry, has)
		}
	}
}

// refresh brings a gateway to what the files of its secrets hold now. One that
// failed may have lacked what is there, if one of them was written: neither the
// first look nor a file of another gateway is a reason to try it again.
func (d *daemon) refresh(ctx context.Context, entry gateway, written bool) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, ok := d.state(entry.file.Name)
	g := entry.defined.get(s.Revision)
	if ok && written && s.Phase != supervisor.Held {
		if stale, _ := entry.launcher.Stale(ctx, s.Launch, isFile); len(stale) > 0 {
			d.supervisor.Changed(s.Name, "secret") // what has the old one may end for it: that is no reason to hold
		}
	}
	switch {
	case !ok || len(g.Secrets) == 0:
	case s.Phase == supervisor.Held:
		d.lookAtHold(ctx, s, true)
	case s.Phase == supervisor.Failed && written:
		d.tellRefreshed(s.Name, d.startAgain(ctx, s.Name))
	case d.secretChanged(ctx, entry, s, isFile):
		_, err := d.bring(ctx, entry, change{why: "secret changed", gateway: g})
		d.tellRefreshed(s.Name, err)
	}
}

func (d *daemon) tellRefreshed(name string, err error) {
	if err != nil {
		d.log.Error(name+": a secret has changed, and the gateway cannot be given it", event("secret-changed"), zap.String("gateway", name), zap.Error(err))
	}
}

// secretChanged tells whether a secret has another value than the launch that
// serves, and a new launch is to have it. Where the program is to be told, it is;
// a standby that has an older value ends, and another one follows. A launch that is
// on its way is looked at when it is ready.
func (d *daemon) secretChanged(ctx context.Context, entry gateway, s supervisor.Status, wanted func(config.Secret) bool) bool {
	if s.Phase != supervisor.Ready || s.Deploying != nil || len(entry.defined.get(s.Revision).Secrets) == 0 {
		return false
	}
	stale, err := entry.launcher.Stale(ctx, s.Launch, wanted)
	if err != nil {
		d.log.Warn(s.Name+": a secret cannot be read again, what runs has the value that it had", event("secret-unread"), zap.String("gateway", s.Name), zap.Error(err))
	}
	restart := false
	for _, secret := range stale {
		restart = d.act(ctx, entry, s, secret) || restart
	}
	if !restart {
		d.renewStandby(ctx, entry, s, wanted)
	}
	return restart
}

// act does what is to follow when a secret has changed, but for a restart, of
// which it tells.
func (d *daemon) act(ctx context.Context, entry gateway, s supervisor.Status, secret config.Secret) (restart bool) {
	level := zapcore.InfoLevel
	if secret.OnChange.Action == config.ChangeNone {
		level = zapcore.DebugLevel // it is so until the next launch
	}
	d.log.Log(level, fmt.Sprintf("%s: secret %s has changed: %s", s.Name, secret.Name, secret.OnChange.Action), event("secret-changed"), zap.String("gateway", s.Name))
	if secret.OnChange.Action == config.ChangeSignal {
		d.tellRefreshed(s.Name, entry.launcher.Rewrite(ctx, s.Launch, secret))
	}
	return secret.OnChange.Action == config.ChangeRestart
}

func (d *daemon) renewStandby(ctx context.Context, entry gateway, s supervisor.Status, wanted func(config.Secret) bool) {
	if s.Standby == nil || s.Standby.Launch == 0 {
		return
	}
	stale, err := entry.launcher.Stale(ctx, s.Standby.Launch, wanted)
	if err != nil || len(stale) == 0 {
		return // what is wrong was told already
	}
	// A program may have been asked for long. Who serves by now must not end for it.
	if now, _ := d.state(s.Name); now.Standby == nil || now.Standby.Launch != s.Standby.Launch {
		return
	}
	names := make([]string, len(stale))
	for i, secret := range stale {
		names[i] = secret.Name
	}
	entry.launcher.Outdate(s.Standby.Launch, fmt.Errorf("%w: it has an older value of the secret %s", supervisor.ErrOutdated, strings.Join(names, ", ")))
}
