package journal

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

const (
	// queueLimit bounds, in bytes, the lines that wait for journald, per gateway.
	queueLimit = 1 << 20
	// reserve is what gatewayd's own records may take beyond it, so that a
	// gateway's flood cannot push out the record that tells of its end.
	reserve = 64 << 10
)

// queue is what waits for journald of one gateway, or of gatewayd itself. All
// of it is guarded by the mutex of its Sink.
type queue struct {
	gateway string // "": gatewayd itself
	records []Record
	size    int        // bytes of records and of the one being sent
	in, out uint64     // records accepted; sent or lost
	room    *sync.Cond // size fell to half the limit
	sent    *sync.Cond // out grew

	dropped loss // since the last note
	total   uint64
}

// loss counts what was not carried.
type loss struct{ records, bytes uint64 }

func newQueue(gateway string, mu sync.Locker) *queue {
	return &queue{gateway: gateway, room: sync.NewCond(mu), sent: sync.NewCond(mu)}
}

// offer appends r, or counts it as dropped where the limit leaves no room. A
// note on what was dropped before takes its place in the order first.
func (q *queue) offer(r Record, limit int) {
	if q.size+r.size() > limit {
		q.lose(r)
		return
	}
	if q.dropped.records > 0 {
		q.push(q.note())
	}
	q.push(r)
}

func (q *queue) push(r Record) {
	q.records = append(q.records, r)
	q.size += r.size()
	q.in++
}

// pop takes the first record. Its size stays counted until done. The array is
// given back once it is empty: an idle gateway costs nothing.
func (q *queue) pop() Record {
	r := q.records[0]
	q.records[0] = Record{}
	if q.records = q.records[1:]; len(q.records) == 0 {
		q.records = nil
	}
	return r
}

// done counts r as sent.
func (q *queue) done(r Record) {
	q.size -= r.size()
	q.out++
	if q.size <= queueLimit/2 {
		q.room.Broadcast()
	}
	q.sent.Broadcast()
}

func (q *queue) lose(r Record) {
	q.dropped.records++
	q.dropped.bytes += uint64(len(r.Message))
	q.total++
}

// pending reports whether there is something to send.
func (q *queue) pending() bool { return len(q.records) > 0 || q.dropped.records > 0 }

// mark is what out reaches once all that there is to tell has been sent, the
// note on what was dropped too.
func (q *queue) mark() uint64 {
	if q.dropped.records > 0 {
		return q.in + 1
	}
	return q.in
}

// note is the record that tells how much was dropped since the last one.
func (q *queue) note() Record {
	lost := q.dropped
	q.dropped = loss{}
	fields := []Field{
		{"SYSLOG_IDENTIFIER", identifier},
		{"STREAM", identifier},
		{"EVENT", eventDropped},
		{"MESSAGE_ID", MessageID(eventDropped)},
		{"DROPPED_RECORDS", strconv.FormatUint(lost.records, 10)},
		{"DROPPED_BYTES", strconv.FormatUint(lost.bytes, 10)},
	}
	who := "gatewayd's own"
	if q.gateway != "" {
		fields = append(fields, Field{"GATEWAY", q.gateway})
		who = q.gateway + "'s"
	}
	text := fmt.Sprintf("dropped %d of %s records (%d bytes): the journal was blocked", lost.records, who, lost.bytes)
	return Record{Message: []byte(text), Priority: journal.PriWarning, Fields: fields}
}
