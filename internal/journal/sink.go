package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// stallAfter is how long one record may be on its way to journald before
	// journald counts as blocked, and lines are dropped rather than waited for.
	stallAfter = time.Second
	// retryFirst and retryMost bound the pause before a journald that is not
	// there is tried again.
	retryFirst = 10 * time.Millisecond
	retryMost  = time.Second
)

// Sink carries records to journald in the background: one bounded queue per
// gateway and one for gatewayd itself, served in turn by a single goroutine.
// It owns no file and makes no wake-up while there is nothing to send. A Sink
// is made by NewSink and ended by Close; it is safe for concurrent use.
type Sink struct {
	send   Sender
	ctx    context.Context // of the goroutine, handed to send
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards all below, the queues too
	work   *sync.Cond // something is pending, or closed
	queues []*queue   // in turn; a few, so that a walk is quicker than a map
	turn   int
	since  time.Time // when the record on its way was taken; zero: none
	closed bool
}

// NewSink starts a sink that hands its records to send.
func NewSink(send Sender) *Sink {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sink{send: send, ctx: ctx, cancel: cancel, done: make(chan struct{})}
	s.work = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// put accepts one of gatewayd's own records without ever waiting.
func (s *Sink) put(gateway string, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offer(s.queue(gateway), r, queueLimit+reserve)
}

// WriteLine accepts a line of a gateway. It is a Writer. Where the queue of
// this gateway is full it waits while journald takes records, so that a flood
// arrives complete; it does not wait for a journald that is blocked, nor
// beyond the end of ctx: the line is dropped and counted then.
func (s *Sink) WriteLine(ctx context.Context, l Line) {
	r := l.record()
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(l.Gateway)
	if q.size+r.size() > queueLimit {
		s.awaitRoom(ctx, q)
	}
	s.offer(q, r, queueLimit)
}

// Dropped returns how many records of a gateway ("": gatewayd's own) were
// dropped so far.
func (s *Sink) Dropped(gateway string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue(gateway).total
}

func (s *Sink) offer(q *queue, r Record, limit int) {
	if s.closed {
		q.lose(r)
		return
	}
	q.offer(r, limit)
	s.work.Signal()
}

// awaitRoom returns when half of q is free, and not when one record fits: a
// flooding gateway would wake us for each of its lines. It returns early when
// journald is not to be waited for.
func (s *Sink) awaitRoom(ctx context.Context, q *queue) {
	left := s.patience(ctx)
	if left <= 0 {
		return // before anything is made: this is the way of each dropped line
	}
	wake := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		q.room.Broadcast()
	}
	defer context.AfterFunc(ctx, wake)()
	timer := time.AfterFunc(left, wake)
	defer timer.Stop()
	for ; q.size > queueLimit/2 && left > 0; left = s.patience(ctx) {
		timer.Reset(left)
		q.room.Wait()
	}
}

// patience is how much longer journald may take before it counts as blocked;
// 0 when it does, and when there is no more time to wait at all.
func (s *Sink) patience(ctx context.Context) time.Duration {
	switch {
	case s.closed, ctx.Err() != nil:
		return 0
	case s.since.IsZero():
		return stallAfter
	}
	return max(0, stallAfter-time.Since(s.since))
}

// queue finds or makes the queue of a gateway.
func (s *Sink) queue(gateway string) *queue {
	for _, q := range s.queues {
		if q.gateway == gateway {
			return q
		}
	}
	q := newQueue(gateway, &s.mu)
	s.queues = append(s.queues, q)
	return q
}

// Flush returns when every record that was accepted before the call has been
// handed to journald (or was lost on the way), or with ctx's error.
func (s *Sink) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		stop := context.AfterFunc(ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			q.sent.Broadcast()
		})
		for mark := q.mark(); q.out < mark && ctx.Err() == nil && s.ctx.Err() == nil; {
			q.sent.Wait()
		}
		stop()
	}
	return ctx.Err()
}

// Close accepts nothing more, carries what is queued until ctx ends, and ends
// the sink's goroutine. The error says how many records were left. A second
// call waits for the first and returns nil.
func (s *Sink) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	for _, q := range s.queues {
		q.room.Broadcast()
	}
	s.work.Signal()
	s.mu.Unlock()

	defer context.AfterFunc(ctx, s.cancel)()
	<-s.done
	s.cancel()
	return s.left()
}

// left names what Close could not carry.
func (s *Sink) left() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n uint64
	for _, q := range s.queues {
		n += q.in - q.out
		q.sent.Broadcast() // whoever flushes: it is over
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("close journal: %d records were not carried: the journal was blocked", n)
}

// run is the sink's goroutine.
func (s *Sink) run() {
	defer close(s.done)
	for {
		q, r, ok := s.next()
		if !ok {
			return
		}
		err := s.deliver(r)
		if s.ctx.Err() != nil {
			return
		}
		s.finish(q, r, err)
	}
}

// next waits for a record and takes it: one of each queue in turn, so that the
// flood of one delays another by one record at most.
func (s *Sink) next() (*queue, Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for range s.queues {
			s.turn = (s.turn + 1) % len(s.queues)
			if q := s.queues[s.turn]; q.pending() {
				s.since = time.Now()
				if len(q.records) == 0 {
					q.push(q.note())
				}
				return q, q.pop(), true
			}
		}
		if s.closed {
			return nil, Record{}, false
		}
		s.work.Wait()
	}
}

// deliver hands r to journald, and again while there is none. The pauses count
// as time on the way, so that nobody waits for a journald that is missing.
func (s *Sink) deliver(r Record) error {
	pause := retryFirst
	for {
		err := s.send(s.ctx, r)
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		pause = min(2*pause, retryMost)
	}
}

// finish counts r as carried or lost.
func (s *Sink) finish(q *queue, r Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
	q.done(r)
	if err != nil && r.Get("EVENT") != eventDropped {
		q.lose(r) // a lost note is not worth a note
	}
}
