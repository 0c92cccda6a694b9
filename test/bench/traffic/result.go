package main

import (
	"fmt"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/machine"
)

// Result is all that a run measured. With -json it is printed as it is.
type Result struct {
	Machine       machine.Machine           `json:"machine"`
	Took          float64                   `json:"took_seconds"`
	Columns       []*Column                 `json:"columns"`
	Paths         []Path                    `json:"paths,omitempty"`
	Proxied       float64                   `json:"bytes_per_proxied_connection,omitempty"`
	Idle          int                       `json:"proxied_connections,omitempty"`
	ProxiedFailed string                    `json:"proxied_failed,omitempty"`
	Goals         map[string][]figures.Goal `json:"goals"` // by row
}

// Column are the figures of one way to keep a gateway alive.
type Column struct {
	Key     string            `json:"key"`
	Name    string            `json:"name"`
	Kill    []float64         `json:"kill_ms,omitempty"`  // SIGKILL → next answer
	Dying   []float64         `json:"dying_ms,omitempty"` // of that, until the process had ended
	Slow    []float64         `json:"slow_ms,omitempty"`
	Crash   *Traffic          `json:"crash,omitempty"`
	Deploy  *Traffic          `json:"deploy,omitempty"`
	Hard    *Traffic          `json:"deploy_without_linger,omitempty"`
	Restart *Traffic          `json:"restart,omitempty"`
	Reexec  *Traffic          `json:"reexec,omitempty"`
	Memory  []float64         `json:"memory_bytes,omitempty"` // of all processes of the unit
	Failed  map[string]string `json:"failed,omitempty"`       // by row: why there is nothing
}

// Traffic is what became of the requests while something was done.
type Traffic struct {
	Times   int         `json:"times"`
	Load    load.Result `json:"load"`
	Stray   int         `json:"stray"`             // failures of requests that were in flight in no launch that was killed
	Rescued int64       `json:"rescued,omitempty"` // connections, as gatewayd counts them
	Each    []float64   `json:"each_ms,omitempty"` // what it took, or the gap that it left
}

// add sums up; t may be nil.
func (t *Traffic) add(times int, r load.Result) *Traffic {
	if t == nil {
		t = &Traffic{}
	}
	t.Times += times
	t.Load.Seconds += r.Seconds
	t.Load.Fresh, t.Load.Kept = t.Load.Fresh.Add(r.Fresh), t.Load.Kept.Add(r.Kept)
	return t
}

func newResult(options) Result {
	var r Result
	for _, key := range columns {
		r.Columns = append(r.Columns, &Column{Key: key, Name: names[key], Failed: map[string]string{}})
	}
	return r
}

func (r *Result) column(key string) *Column {
	for _, c := range r.Columns {
		if c.Key == key {
			return c
		}
	}
	panic("no column " + key) // the keys are ours
}

func (r *Result) path(key string) *Path {
	for i := range r.Paths {
		if r.Paths[i].Key == key {
			return &r.Paths[i]
		}
	}
	return &Path{}
}

// fail leaves the row of a column empty, with the reason.
func (b *bench) fail(c *Column, row string, err error) {
	c.Failed[row] = oneLine(err)
	b.complain(fmt.Errorf("%s, %s: %w", row, c.Name, err))
}
