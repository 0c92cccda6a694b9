package load

import (
	"context"
	"fmt"
	"time"
)

// each download is long enough for its beginning not to matter, and short
// enough for a run to end.
const each = 64 << 20

// download asks for many bytes again and again.
func (r *runner) download(ctx context.Context) {
	buffer := make([]byte, 256<<10)
	conn, err := r.dial()
	if err != nil {
		r.bulk.add(Now(), err)
		return
	}
	defer conn.Close()
	ask := request(fmt.Sprintf("/bytes?count=%d", each))
	for ctx.Err() == nil {
		began := Now()
		err := conn.SetDeadline(time.Now().Add(r.Timeout))
		if err == nil {
			_, err = conn.Write(ask)
		}
		var n int64
		if err == nil {
			_, n, err = answer(conn, buffer)
		}
		r.bulk.add(began, err)
		if err != nil {
			return
		}
		r.bytes.Add(n)
	}
}
