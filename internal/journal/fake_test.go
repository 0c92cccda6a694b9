package journal

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journald is a fake: it keeps what it gets, may be blocked, may fail.
type journald struct {
	mu      sync.Mutex
	records []Record
	gate    chan struct{}      // not nil: a send waits until it is closed
	fail    func(Record) error // not nil: asked for each record
}

func (j *journald) send(ctx context.Context, r Record) error {
	j.mu.Lock()
	gate, fail := j.gate, j.fail
	j.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		if err := fail(r); err != nil {
			return err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, r)
	return nil
}

// block makes journald take nothing until the returned function is called.
func (j *journald) block() (flow func()) {
	gate := make(chan struct{})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.gate = gate
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.gate = nil
		close(gate)
	}
}

// messages are those of the records with a field of that value.
func (j *journald) messages(name, value string) (m []string) {
	for _, r := range j.all() {
		if r.Get(name) == value {
			m = append(m, string(r.Message))
		}
	}
	return m
}

func (j *journald) all() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.records)
}

// sinkTo makes a sink that is closed, empty, at the end of the test.
func sinkTo(t *testing.T, j *journald) *Sink {
	t.Helper()
	s := NewSink(j.send)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func flush(t *testing.T, s *Sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func line(gateway, stream, text string) Line {
	return Line{Launch: Launch{Gateway: gateway, Number: 1, ContainerID: gateway + "-1-x"}, Stream: stream, Priority: 6, Text: []byte(text)}
}
