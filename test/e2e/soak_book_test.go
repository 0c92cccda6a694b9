package e2e

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// book is what is printed of a soak: a line for each round, and a table of what
// there was in the beginning and is in the end.
type book struct {
	w     io.Writer
	began time.Time
}

func newBook(t *testing.T) *book {
	b := &book{t.Output(), time.Now()}
	b.write("launches", "seconds", "descriptors", "sockets", "stored", "cgroups", "mounts", "files", "PSS KiB", "RSS KiB", "threads", "goroutines")
	return b
}

func (b *book) write(columns ...any) {
	fmt.Fprintf(b.w, "%9v %8v %11v %8v %6v %8v %7v %6v %8v %8v %8v %10v\n", columns...)
}

func (b *book) line(launches int, c census, m memory) {
	b.write(launches, int(time.Since(b.began).Seconds()), c.sum("descriptor"), c.sum("socket"), c.sum("stored"), c.sum("cgroup"),
		c.sum("gatewayd's mounts"), c.sum("runtime file", "state file"), m.pss, m.rss, m.threads, m.goroutines)
}
