package launch

import (
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// burstTime: what is rescued within it of each other is one record.
const burstTime = time.Second

func (o *port) tellRescued() func(n int) {
	var waiting atomic.Int64
	tell := func() {
		n := waiting.Swap(0)
		what := "1 connection"
		if n != 1 {
			what = fmt.Sprintf("%d connections", n)
		}
		text, fields := o.fields("rescued")
		o.host.log().Info(fmt.Sprintf("%s: rescued %s that waited for a launch that has ended", text, what), append(fields, zap.Int64("count", n))...)
	}
	return func(n int) {
		if waiting.Add(int64(n)) == int64(n) {
			time.AfterFunc(burstTime, tell)
		}
	}
}
