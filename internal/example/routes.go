package example

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Bounds of /slow and /bytes: a demonstration must not become a way to fill a process.
const (
	slowest = time.Minute
	most    = 16 << 30
)

func routes(log io.Writer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", hello())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /slow", slow(log))
	mux.HandleFunc("GET /bytes", bytes)
	mux.Handle("GET /crash", crashing(log))
	mux.Handle("POST /crash", crashing(log))
	return mux
}

// hello says who answers, so that one sees a new launch by looking.
func hello() http.Handler {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	began := time.Now()
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "example gateway on %s, pid %d, up for %s, request %d\n",
			host, os.Getpid(), time.Since(began).Round(time.Millisecond), requests.Add(1))
	})
}

func slow(log io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil || d < 0 || d > slowest {
			http.Error(w, fmt.Sprintf("slow: for= takes a duration up to %s, such as 5s", slowest), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(log, "example gateway answers in %s, as asked\n", d)
		select {
		case <-time.After(d):
			fmt.Fprintf(w, "after %s\n", d)
		case <-r.Context().Done(): // the client is gone, or the drain is over
		}
	})
}

func bytes(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.ParseInt(r.URL.Query().Get("count"), 10, 64)
	if err != nil || count < 0 || count > most {
		http.Error(w, fmt.Sprintf("bytes: count= takes a number up to %d", int64(most)), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(count, 10))
	w.Header().Set("Content-Type", "application/octet-stream")
	block := make([]byte, 64<<10)
	for err == nil && count > 0 {
		n := min(count, int64(len(block)))
		_, err = w.Write(block[:n]) // an error: the client is gone
		count -= n
	}
}
