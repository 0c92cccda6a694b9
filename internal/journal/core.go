package journal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/internal/redact"
)

const (
	// identifier is SYSLOG_IDENTIFIER and STREAM of gatewayd's own records.
	identifier = "gatewayd"
	// syncTimeout bounds Sync, which a logger calls before the process ends.
	syncTimeout = 2 * time.Second
)

type core struct {
	zapcore.LevelEnabler
	sink    *Sink
	secrets *redact.Set
	with    []zapcore.Field
}

// NewCore returns the zap core whose records go to sink, without the values of
// secrets. Writing never blocks.
// Keys of fields become upper case; see the package comment for those that
// mean something. Sync waits two seconds at most.
func NewCore(level zapcore.LevelEnabler, sink *Sink, secrets *redact.Set) zapcore.Core {
	return &core{LevelEnabler: level, sink: sink, secrets: secrets}
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{LevelEnabler: c.LevelEnabler, sink: c.sink, secrets: c.secrets, with: slices.Concat(c.with, fields)}
}

func (c *core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := record(e, slices.Concat(c.with, fields))
	r.redact(c.secrets)
	c.sink.put(r.Get("GATEWAY"), r)
	return nil
}

func (c *core) Sync() error {
	ctx, cancel := context.WithTimeout(context.Background(), syncTimeout)
	defer cancel()
	return c.sink.Flush(ctx)
}

// record turns an entry of zap into one of the journal.
func record(e zapcore.Entry, fields []zapcore.Field) Record {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	r := Record{
		Message:  []byte(e.Message + cause(fields)),
		Priority: priority(e.Level),
		Fields:   []Field{{"SYSLOG_IDENTIFIER", identifier}, {"STREAM", identifier}},
	}
	for _, key := range slices.Sorted(maps.Keys(values.Fields)) {
		r.set(fieldName(key), text(values.Fields[key]))
	}
	r.set("MESSAGE_ID", MessageID(r.Get("EVENT")))
	r.set("LOGGER", e.LoggerName)
	r.set("STACK", e.Stack)
	if e.Caller.Defined {
		r.set("CODE_FILE", e.Caller.File)
		r.set("CODE_LINE", strconv.Itoa(e.Caller.Line))
		r.set("CODE_FUNC", e.Caller.Function)
	}
	return r
}

// redact takes the values of secrets out of all that the record says.
func (r *Record) redact(secrets *redact.Set) {
	r.Message = secrets.Bytes(r.Message)
	for i := range r.Fields {
		r.Fields[i].Value = secrets.String(r.Fields[i].Value)
	}
}

// set gives a field one value, where journald would keep two; "" sets nothing.
func (r *Record) set(name, value string) {
	if value == "" {
		return
	}
	for i, f := range r.Fields {
		if f.Name == name {
			r.Fields[i].Value = value
			return
		}
	}
	r.Fields = append(r.Fields, Field{name, value})
}

// cause is what follows the message: journalctl shows MESSAGE and no other
// field, and an end without its cause helps nobody.
func cause(fields []zapcore.Field) string {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType && err != nil {
			return ": " + err.Error()
		}
	}
	return ""
}

// text writes a value of zap's MapObjectEncoder as a person would.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case map[string]any, []any:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(b)
	}
	return fmt.Sprint(value) // survives a Stringer that panics
}

// priority maps zap's levels to those of syslog(3).
func priority(l zapcore.Level) journal.Priority {
	switch {
	case l < zapcore.InfoLevel:
		return journal.PriDebug
	case l == zapcore.InfoLevel:
		return journal.PriInfo
	case l == zapcore.WarnLevel:
		return journal.PriWarning
	case l == zapcore.ErrorLevel:
		return journal.PriErr
	}
	return journal.PriCrit
}
