package bundle

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A crew is a bounded number of workers and what they have to do. A task may add
// further ones; the last one added is the first one taken, so that a tree is
// worked through depth first and what waits stays few.
//
// Tasks return nothing: an operation keeps its own errors, and a task that comes
// after the end of a context looks at that first.
type crew struct {
	size int
	idle atomic.Int32 // changed under mu

	mu    sync.Mutex
	wake  sync.Cond
	tasks []task
}

type task func(*worker)

// A worker is one of a crew, with buffers that its tasks have to themselves
// while they run.
type worker struct {
	crew    *crew
	buf     []byte
	entries []entry
}

// maxWorkers: more only wait for each other, in the file system's journal.
const maxWorkers = 8

// crewSize is how many workers there are where nobody says.
func crewSize(wanted int) int {
	if wanted > 0 {
		return wanted
	}
	return min(runtime.GOMAXPROCS(0), maxWorkers)
}

// runCrew returns when first and all tasks that came of it are done.
func runCrew(size int, first task) {
	c := &crew{size: size, tasks: []task{first}}
	c.wake.L = &c.mu
	var group sync.WaitGroup
	for range size {
		group.Go(c.work)
	}
	group.Wait()
}

func (c *crew) work() {
	w := &worker{crew: c}
	for t := c.next(); t != nil; t = c.next() {
		t(w)
	}
}

// next waits for a task. It returns nil when there is none and nobody is left
// who could add one.
func (c *crew) next() task {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.Add(1)
	for len(c.tasks) == 0 {
		if int(c.idle.Load()) == c.size {
			c.wake.Broadcast()
			return nil
		}
		c.wake.Wait()
	}
	c.idle.Add(-1)
	last := len(c.tasks) - 1
	t := c.tasks[last]
	c.tasks[last] = nil
	c.tasks = c.tasks[:last]
	return t
}

func (c *crew) add(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tasks = append(c.tasks, t)
	c.wake.Signal()
}

// hungry reports whether a worker has nothing to do: then it is worth the while
// to cut what one is at into tasks. It is a hint, and costs no lock.
func (c *crew) hungry() bool { return c.idle.Load() > 0 }

// buffer is size bytes of the worker's own, with what the last task left in it.
func (w *worker) buffer(size int) []byte {
	if cap(w.buf) < size {
		w.buf = make([]byte, size)
	}
	return w.buf[:size]
}
