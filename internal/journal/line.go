package journal

import (
	"context"
	"slices"
	"strconv"

	"github.com/coreos/go-systemd/v22/journal"
)

// Launch names the launch whose output is carried.
type Launch struct {
	Gateway     string
	Number      int
	ContainerID string
}

// Line is one line of a gateway's output, or a chunk of one that is longer
// than 64 KiB.
type Line struct {
	Launch
	Stream   string // "stdout" or "stderr"
	Priority journal.Priority
	Text     []byte // without priority prefix and newline; the writer's only during the call
	Partial  bool   // the line goes on in the next Line of this stream
}

// Writer takes the lines of a launch, those of one stream in order, those of
// two streams concurrently. It may block, but not beyond the end of ctx.
type Writer func(ctx context.Context, l Line)

func (l Line) record() Record {
	fields := []Field{
		{"SYSLOG_IDENTIFIER", l.Gateway},
		{"GATEWAY", l.Gateway},
		{"LAUNCH", strconv.Itoa(l.Number)},
		{"CONTAINER_ID", l.ContainerID},
		{"STREAM", l.Stream},
	}
	if l.Partial {
		fields = append(fields, Field{"CONTAINER_PARTIAL_MESSAGE", "true"})
	}
	return Record{Message: slices.Clone(l.Text), Priority: l.Priority, Fields: fields}
}
