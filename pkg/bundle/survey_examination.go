package bundle

import (
	"context"
	"crypto/sha256"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// An examination is one walk through a tree. Each task has one directory open,
// and at most one file in it, for as long as it runs; so the number of open
// files depends on the number of workers alone, whatever the tree is like.
type examination struct {
	SurveyOptions
	ctx   context.Context
	root  *os.File // opened with O_PATH
	cache *surveyCache
	clock func() time.Time // time.Now, but for tests of a clock that is set

	// What has a ctime before settled is known to have been so when the walk
	// began. What has one after fresh is looked at with patience.
	settled, fresh int64 // nanoseconds since 1970

	on    volume
	ended atomic.Bool

	mu    sync.Mutex
	err   error
	total tally
	links map[inode]*linkedFile
	spare [][]record // of directories that are finished, for others to come
}

// racy is how long an entry must not have been changed for its ctime to be
// trusted. A file system takes its time from a clock that goes in steps, of 2 s
// with some: what is changed twice within one of them has the same times. On a
// network file system the server's clock may be as much behind.
const racy = 2 * time.Second

// newExamination is called before the first look at the tree: what looks older
// than now did not change since.
func newExamination(ctx context.Context, root *os.File, now time.Time, o SurveyOptions) *examination {
	return &examination{
		SurveyOptions: o, ctx: ctx, root: root, cache: &surveyCache{}, clock: time.Now,
		settled: now.Add(-racy).UnixNano(), fresh: now.Add(-tick).UnixNano(),
		total: tally{newest: now.Add(-racy).UnixNano()},
		links: map[inode]*linkedFile{},
	}
}

// survey walks through the tree, and tells what it found.
func (x *examination) survey() (*Survey, error) {
	d := &examinedDir{rel: "."}
	var err error
	if d.seen, err = x.look(func() (sighting, error) { return sightOpen(int(x.root.Fd())) }); err != nil {
		return nil, sourceError("look at", ".", err)
	}
	x.on = volumeOf(int(x.root.Fd()))
	if x.Content != ContentNone {
		x.cache = openCache(x.Cache, x.root.Name(), x.on, d.seen.ino)
	}
	d.cached = x.cache.dirs[d.seen.ino]
	d.todo.Store(1)
	x.total.own(d, ".", &d.seen)
	x.total.date(d, ".", &d.seen)
	runCrew(crewSize(x.Workers), x.enter(d))
	if x.err != nil {
		return nil, x.err
	}
	return x.told(d), nil
}

func (x *examination) told(root *examinedDir) *Survey {
	s := &Survey{
		State:   sha256.Sum256(append(appendState(x.on[:], "", root.seen.mode, &root.seen.stamp), root.state[:]...)),
		Entries: x.total.entries, Bytes: x.total.bytes, Read: x.total.read,
		Owners:  sortOwners(x.total.owners),
		Special: x.total.special, Setuid: x.total.setuid,
	}
	if x.Content != ContentNone {
		s.Digest = rootDigest(root.seen.mode, &root.content)
	}
	return s
}

// over tells why nothing that is done now matters any more; nil: it does.
func (x *examination) over() error {
	if err := x.ctx.Err(); err != nil {
		x.fail(err)
	}
	if !x.ended.Load() {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

func (x *examination) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended.Swap(true) {
		x.err = err
	}
}

// takeRecords returns room for records.
func (x *examination) takeRecords() []record {
	x.mu.Lock()
	defer x.mu.Unlock()
	last := len(x.spare) - 1
	if last < 0 {
		return nil
	}
	records := x.spare[last]
	x.spare = x.spare[:last]
	return records
}

// giveRecords gives room back. That of large directories is not kept.
func (x *examination) giveRecords(records []record) {
	const most = 1024
	if cap(records) == 0 || cap(records) > most {
		return
	}
	clear(records)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.spare = append(x.spare, records[:0])
}

// tick is more than the steps in which Linux counts the time of a change: one of
// its timer, of at most 10 ms, before 6.13 (multigrain timestamps).
const tick = 20 * time.Millisecond

// look looks at an entry, and again after a tick if it was changed just now:
// until then another change might leave no trace.
func (x *examination) look(see func() (sighting, error)) (sighting, error) {
	s, err := see()
	for range 10 {
		if err != nil || s.ctime < x.fresh {
			return s, err
		}
		// A time that is far ahead is from before the clock was set back: another change
		// would have another one. Else each entry of such a tree would cost a tick.
		if now := x.clock().UnixNano(); now > s.ctime+int64(tick) || s.ctime > now+int64(racy) {
			return s, nil
		}
		select {
		case <-time.After(tick):
		case <-x.ctx.Done():
			return s, x.ctx.Err()
		}
		before := s.stamp
		if s, err = see(); err == nil && s.stamp == before { // even if its time is in the future
			return s, nil
		}
	}
	return s, ErrChanged
}
