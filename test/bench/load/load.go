package load

import (
	"context"
	"sync"
	"time"
)

// Options say who asks whom. The zero value of each number: none of that kind.
type Options struct {
	Address string        // host:port
	Path    string        // empty: /healthz
	Fresh   int           // new connections a second
	Kept    int           // connections that are kept
	Pause   time.Duration // of a kept connection between answer and request
	Bulk    int           // connections that download
	Timeout time.Duration // of connecting and of each answer; 0: 5 s
	Ready   func()        // called once, when each kind has had its first answer; may be nil
}

// Result is what became of all requests.
type Result struct {
	Seconds float64 `json:"seconds"`
	Fresh   Count   `json:"fresh"`
	Kept    Count   `json:"kept"`
	Bulk    float64 `json:"bulk_mib_per_second"`
}

// Run asks until ctx ends, lets the last requests come to their end, and counts.
func Run(ctx context.Context, o Options) Result {
	if o.Path == "" {
		o.Path = "/healthz"
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	r := &runner{Options: o, began: time.Now()}
	r.prepare()
	var all sync.WaitGroup
	if o.Fresh > 0 {
		all.Go(func() { r.askFresh(ctx) })
	}
	for range o.Kept {
		all.Go(func() { r.askKept(ctx) })
	}
	for range o.Bulk {
		all.Go(func() { r.download(ctx) })
	}
	all.Wait()
	return r.result()
}

type runner struct {
	Options
	began             time.Time
	fresh, kept, bulk *tally
	request           []byte
	bytes             counter
}

// prepare has Ready called by the last kind that gets its first answer.
func (r *runner) prepare() {
	var mu sync.Mutex
	missing := 0
	first := func() {
		mu.Lock()
		defer mu.Unlock()
		if missing--; missing == 0 && r.Ready != nil {
			r.Ready()
		}
	}
	kind := func(n int) *tally {
		if n > 0 {
			missing++
		}
		return &tally{first: first}
	}
	r.fresh, r.kept, r.bulk = kind(r.Fresh), kind(r.Kept), kind(r.Bulk)
	r.request = request(r.Path)
}

func (r *runner) result() Result {
	seconds := time.Since(r.began).Seconds()
	return Result{
		Seconds: seconds, Fresh: r.fresh.count(), Kept: r.kept.count(),
		Bulk: float64(r.bytes.Load()) / (1 << 20) / seconds,
	}
}
