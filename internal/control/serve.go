package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gatewayd/gatewayd/internal/redact"
	"github.com/gatewayd/gatewayd/internal/step"
)

// Daemon is what the control socket gives access to. Every method may be called
// at any time from many goroutines. The context ends when the client hangs up
// or the daemon stops serving.
type Daemon interface {
	// Status answers from memory, without waiting for any gateway.
	Status(ctx context.Context) Report
	// Start returns when the gateway is ready, with the cause when it fails.
	Start(ctx context.Context, name string) error
	// Stop returns when the gateway has stopped and nothing of it is left.
	Stop(ctx context.Context, name string) error
	// Restart is Start with a new launch.
	Restart(ctx context.Context, name string) error
	// Deploy returns when the new revision serves, or, with Wait, has proved
	// itself; with the cause when it does not. It goes on when ctx ends.
	Deploy(ctx context.Context, name string, request DeployRequest) (Deployed, error)
	// Rollback is a deploy of the revision that served before.
	Rollback(ctx context.Context, name string, request RollbackRequest) (Deployed, error)
	// Verify reads back from the kernel how the gateway is isolated.
	Verify(ctx context.Context, name string) (Verification, error)
	// History answers from memory.
	History(ctx context.Context, name string) (History, error)
	// Metrics answers from memory.
	Metrics(ctx context.Context) (Text, error)
	// Reload returns with the verdict on the configuration; an *Error with
	// CodeConfig: it is faulty and nothing has changed.
	Reload(ctx context.Context) error
	// Reexec becomes the binary that is on the disk now, and returns only when
	// that cannot be. The connection ends with it, and the next one is answered
	// by the new image, whose Report has a Takeover.
	Reexec(ctx context.Context) error
}

// limits is what a client may take.
type limits struct {
	connections int
	header      int           // bytes
	body        int64         // bytes
	receive     time.Duration // for the header, and again for the body
	send        time.Duration // for an answer
	idle        time.Duration // between requests
	goodbye     time.Duration // for requests in flight when serving ends
}

func defaultLimits() limits {
	return limits{connections: 64, header: 8 << 10, body: 4 << 10,
		receive: 5 * time.Second, send: 10 * time.Second, idle: 30 * time.Second, goodbye: time.Second}
}

// Serve answers on l, without the values of secrets, until ctx ends, which also ends the contexts of all calls
// in progress; then it closes l and returns nil. It returns early, with the
// error, when l fails.
func Serve(ctx context.Context, l net.Listener, d Daemon, secrets *redact.Set) error {
	return serve(ctx, l, d, secrets, defaultLimits(), ourselvesOrRoot)
}

func serve(ctx context.Context, l net.Listener, d Daemon, secrets *redact.Set, lim limits, allowed func(uint32) bool) error {
	srv := &http.Server{
		Handler:           redacting(routes(d, lim), secrets),
		ReadHeaderTimeout: lim.receive,
		IdleTimeout:       lim.idle,
		MaxHeaderBytes:    lim.header,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		// What a broken client does is no news of the daemon.
		ErrorLog: log.New(io.Discard, "", 0),
		// No ReadTimeout: its deadline also hits the read by which the server
		// notices that a client has hung up, and would cancel every call that
		// takes longer. read sets one for the body alone.
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(&admit{l, allowed, make(chan struct{}, lim.connections)}) }()
	select {
	case err := <-done:
		srv.Close()
		return err
	case <-ctx.Done():
	}
	end(ctx, srv, lim.goodbye)
	step.Done("control-removed")
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// end lets requests in flight answer that they were cancelled, then closes.
func end(ctx context.Context, srv *http.Server, goodbye time.Duration) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if srv.Shutdown(bounded) != nil {
		srv.Close()
	}
}

func routes(d Daemon, lim limits) http.Handler {
	mux := http.NewServeMux()
	named := func(f func(context.Context, string) error) http.HandlerFunc {
		return call(lim, func(r *http.Request, _ nothing) (any, error) { return nil, f(r.Context(), r.PathValue("name")) })
	}
	mux.HandleFunc("GET /v1/status", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return d.Status(r.Context()), nil
	}))
	mux.HandleFunc("POST /v1/gateways/{name}/start", named(d.Start))
	mux.HandleFunc("POST /v1/gateways/{name}/stop", named(d.Stop))
	mux.HandleFunc("POST /v1/gateways/{name}/restart", named(d.Restart))
	mux.HandleFunc("POST /v1/gateways/{name}/deploy", call(lim, func(r *http.Request, request DeployRequest) (any, error) {
		return d.Deploy(r.Context(), r.PathValue("name"), request)
	}))
	mux.HandleFunc("POST /v1/gateways/{name}/rollback", call(lim, func(r *http.Request, request RollbackRequest) (any, error) {
		return d.Rollback(r.Context(), r.PathValue("name"), request)
	}))
	mux.HandleFunc("POST /v1/gateways/{name}/verify", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return d.Verify(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("GET /v1/gateways/{name}/history", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return d.History(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("GET /metrics", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return d.Metrics(r.Context())
	}))
	mux.HandleFunc("POST /v1/reload", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return nil, d.Reload(r.Context())
	}))
	mux.HandleFunc("POST /v1/reexec", call(lim, func(r *http.Request, _ nothing) (any, error) {
		return nil, d.Reexec(r.Context())
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, lim, http.StatusNotFound, &Error{CodeRequest, "no such route: " + r.Method + " " + r.URL.Path})
	})
	return mux
}

// nothing is the body of a request that says nothing: none, or an empty object.
type nothing struct{}

// call answers with what f returns, 204 when that is nothing, and with its error
// when it has one.
func call[Body any](lim limits, f func(r *http.Request, body Body) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body Body
		if err := read(w, r, lim, &body); err != nil {
			answer(w, lim, statusOf(CodeRequest), err)
			return
		}
		result, err := f(r, body)
		switch {
		case err != nil:
			e := answerOf(err)
			answer(w, lim, statusOf(e.Code), e)
		case result != nil:
			answer(w, lim, http.StatusOK, result)
		default:
			answer(w, lim, http.StatusNoContent, nil)
		}
	}
}

// read takes the request's body, and refuses what says more than is understood.
// After it nothing limits how long the call may take.
func read(w http.ResponseWriter, r *http.Request, lim limits, into any) *Error {
	if r.URL.RawQuery != "" {
		return &Error{CodeRequest, "unknown parameter: " + r.URL.RawQuery}
	}
	c := http.NewResponseController(w)
	err := c.SetReadDeadline(time.Now().Add(lim.receive))
	if err == nil {
		err = readObject(http.MaxBytesReader(w, r.Body, lim.body), into)
	}
	if err != nil {
		// The deadline stays: the server still wants to read the rest.
		w.Header().Set("Connection", "close")
		return &Error{CodeRequest, "read request: " + err.Error()}
	}
	_ = c.SetReadDeadline(time.Time{}) // fails only when the client is gone
	return nil
}

// readObject reads one JSON object of the fields that into has, or nothing.
func readObject(body io.Reader, into any) error {
	decoder := json.NewDecoder(body)
	var text json.RawMessage
	if err := decoder.Decode(&text); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	if text[0] != '{' { // null would be taken for an object without fields
		return errors.New("no object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	fields := json.NewDecoder(bytes.NewReader(text))
	fields.DisallowUnknownFields()
	return fields.Decode(into)
}

func answer(w http.ResponseWriter, lim limits, status int, body any) {
	// A client that does not read must not keep the answer for ever. This fails,
	// as Encode does, only when the client is gone.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lim.send))
	if body == nil {
		w.WriteHeader(status)
		return
	}
	if text, is := body.(Text); is {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, string(text))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
