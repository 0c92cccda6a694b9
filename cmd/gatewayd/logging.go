package main

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/internal/systemd"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// event names what a record tells of, for EVENT= and MESSAGE_ID= of the journal.
func event(name string) zap.Field { return zap.String("event", name) }

// openLog logs to the journal where stderr leads there, else to the terminal.
func (d *daemon) openLog(level string) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		parsed = zapcore.InfoLevel // the configuration was checked; a level it knows and zap does not
	}
	d.level = zap.NewAtomicLevelAt(parsed)
	if d.env.systemd.Journal {
		d.sink = journal.NewSink(journal.Journald())
		d.log = zap.New(journal.NewCore(d.level, d.sink, d.redact)).With(ofUnit(d.env.systemd)...)
		d.writeLine = d.sink.WriteLine
		return
	}
	terminal := zapcore.Lock(os.Stderr) // one lock, so that records and lines do not mix
	d.log = zap.New(journal.NewConsole(d.level, terminal, d.redact))
	d.writeLine = journal.ConsoleLines(terminal)
}

// ofUnit has journalctl show a record as one of our unit, though we may have ended
// by the time that journald looks who we are: as every reap does, and who is killed.
func ofUnit(e systemd.Environment) []zap.Field {
	switch {
	case e.Unit == "":
		return nil
	case e.User:
		return []zap.Field{zap.String("user_unit", e.Unit)}
	}
	return []zap.Field{zap.String("object_systemd_unit", e.Unit)}
}

// flush hands to journald what it has been told so far, within a time.
func (d *daemon) flush(ctx context.Context, patience time.Duration) error {
	if d.sink == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.sink.Flush(ctx)
}

func (d *daemon) closeLog() {
	if d.sink == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
	defer cancel()
	_ = d.sink.Close(ctx) // there is nowhere left to say that the log is gone
}

// observe logs what the supervisor does. It is called by the gateways' loops.
func (d *daemon) observe(e supervisor.Event) {
	e.Cause = d.redact.Error(e.Cause) // it goes into the history, too
	info := d.gateways.info(e.Gateway, e.Launch)
	d.metrics.Observe(e)
	d.note(e, info)
	of := append(subject(e, info.ID), staged(info)...)
	level, message := describe(e)
	d.log.With(of...).Log(level, message, append(details(e), event(string(e.Kind)))...)
	switch {
	case e.Kind == supervisor.LaunchReady:
		go d.lookAtRuntime()
		d.lookAtSecrets(e.Gateway)
	case e.Kind == supervisor.DeployFailed: // while it was under way nobody has looked
		d.lookAtSecrets(e.Gateway)
	case e.Kind == supervisor.LaunchStarted && info.Bare: // of the others the launch tells when it has seen
		d.log.With(of...).Info(e.Gateway+" is isolated: "+info.Posture, event("posture"))
	case e.Kind == supervisor.LaunchPreparing && d.gateways.bare(e.Gateway, info.Revision):
		d.log.With(of...).Warn("isolation.bare is set: "+e.Gateway+" runs without a container, with all that this user may do",
			event("bare-warning"))
	}
	if e.Kind == supervisor.GatewayHeld || e.Kind == supervisor.DeploySwitched {
		d.holding.soon()
	}
	d.awaitAddress(e)
}

// subject is what a record is about.
func subject(e supervisor.Event, id string) []zap.Field {
	fields := []zap.Field{zap.String("gateway", e.Gateway)}
	if e.Launch > 0 {
		fields = append(fields, zap.Int("launch", e.Launch))
	}
	if id != "" {
		fields = append(fields, zap.String("container_id", id))
	}
	return fields
}

// staged is what a launch was made from, in each of its records.
func staged(info launch.Info) []zap.Field {
	var fields []zap.Field
	if info.Stage != "" {
		fields = append(fields, zap.String("stage", info.Stage))
	}
	if info.Digest != "" {
		fields = append(fields, zap.String("digest", info.Digest))
	}
	return fields
}

func details(e supervisor.Event) []zap.Field {
	var fields []zap.Field
	if e.After > 0 {
		fields = append(fields, zap.Duration("after", e.After))
	}
	if !e.Next.IsZero() {
		fields = append(fields, zap.Time("next", e.Next))
	}
	if e.Revision != "" {
		fields = append(fields, zap.String("revision", e.Revision))
	}
	if e.Why != "" {
		fields = append(fields, zap.String("why", e.Why))
	}
	if e.Count != 0 {
		fields = append(fields, zap.Int("count", e.Count))
	}
	if e.Cause != nil {
		fields = append(fields, zap.NamedError("cause", e.Cause))
	}
	return fields
}
