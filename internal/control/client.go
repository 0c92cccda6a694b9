package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// maxAnswer bounds what a client reads: far above any report, far below what
// would hurt.
const maxAnswer = 16 << 20

// Client asks the daemon behind one control socket. It holds no connection
// between calls. Each method returns an error that matches ErrNotRunning when
// no daemon listens, an *Error when the daemon says no, and the context's when
// that ends first, which also cancels the call in the daemon.
type Client struct {
	path string
	http *http.Client
}

// Dial returns the client of the socket at path. It connects with each call,
// not before.
func Dial(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		// The daemon redirects nowhere: whoever does is not the daemon.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Status asks for the state of all gateways.
func (c *Client) Status(ctx context.Context) (Report, error) {
	var r Report
	err := c.do(ctx, http.MethodGet, "/v1/status", &r)
	if Cut(err) { // by another image of the daemon, which answers
		err = c.do(ctx, http.MethodGet, "/v1/status", &r)
	}
	return r, err
}

// Metrics asks for the metrics, as Prometheus reads them.
func (c *Client) Metrics(ctx context.Context) (Text, error) {
	var text Text
	err := c.do(ctx, http.MethodGet, "/metrics", &text)
	return text, err
}

// Start returns when the gateway is ready; at once when it is already.
func (c *Client) Start(ctx context.Context, name string) error { return c.gateway(ctx, name, "start") }

// Stop returns when the gateway has stopped and is cleaned; at once when it has.
func (c *Client) Stop(ctx context.Context, name string) error { return c.gateway(ctx, name, "stop") }

// Restart returns when a new launch of the gateway is ready.
func (c *Client) Restart(ctx context.Context, name string) error {
	return c.gateway(ctx, name, "restart")
}

// Reload returns when the daemon has accepted its configuration anew. An *Error
// with CodeConfig lists the faults; nothing has changed then.
func (c *Client) Reload(ctx context.Context) error {
	err := c.do(ctx, http.MethodPost, "/v1/reload", nil)
	if Cut(err) { // by a new binary that the daemon has become, which has the verdict
		err = c.do(ctx, http.MethodPost, "/v1/reload", nil)
	}
	return err
}

// Reexec has the daemon become the binary that is on the disk now, and returns
// when the new image answers, with what it reports. Any other error than
// ErrNotRunning is why the old image goes on.
func (c *Client) Reexec(ctx context.Context) (Report, error) {
	before, err := c.Status(ctx)
	if err != nil {
		return Report{}, err
	}
	if err = c.do(ctx, http.MethodPost, "/v1/reexec", nil); err == nil || !Cut(err) {
		return before, err
	}
	after, err := c.Status(ctx)
	if err == nil && after.images() == before.images() {
		err = errors.New("ask gatewayd: the connection was cut, and the old image goes on")
	}
	return after, err
}

// Cut tells whether err is that of a connection which ended without an answer:
// gatewayd has ended, or become another image.
func Cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (c *Client) gateway(ctx context.Context, name, verb string) error {
	return c.do(ctx, http.MethodPost, route(name, verb), nil)
}

// do sends a request without a body and decodes the answer into result, unless
// that is nil.
func (c *Client) do(ctx context.Context, method, route string, result any) error {
	return c.send(ctx, method, route, nil, result)
}

// send is do with a body, unless that is nil.
func (c *Client) send(ctx context.Context, method, route string, body, result any) error {
	if err := checkPath(c.path); err != nil {
		return fmt.Errorf("ask gatewayd: %w", err)
	}
	var text io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("ask gatewayd: %w", err)
		}
		text = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://gatewayd"+route, text)
	if err != nil {
		return fmt.Errorf("ask gatewayd: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.explain(err)
	}
	defer response.Body.Close()
	return decode(response, result)
}

// explain tells a daemon that is not there from one that does not answer. The
// kernel's own words: no socket, or one that nobody listens on any more.
func (c *Client) explain(err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w (nobody listens on %s)", ErrNotRunning, c.path)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // less "Get http://gatewayd/…": no such host is asked
	}
	if Cut(err) {
		err = fmt.Errorf("it has ended, or become another image, and what was asked for may go on (see gatewayd status): %w", err)
	}
	return fmt.Errorf("ask gatewayd at %s: %w", c.path, err)
}

// Text is an answer that is no object.
type Text string

func decode(response *http.Response, result any) error {
	body := io.LimitReader(response.Body, maxAnswer)
	switch {
	case response.StatusCode == http.StatusNoContent && result == nil:
		return nil
	case response.StatusCode == http.StatusOK && result != nil:
		if text, is := result.(*Text); is {
			all, err := io.ReadAll(body)
			*text = Text(all)
			return err
		}
		if err := json.NewDecoder(body).Decode(result); err != nil {
			return fmt.Errorf("read answer of gatewayd: %w", err)
		}
		return nil
	}
	e := &Error{}
	if err := json.NewDecoder(body).Decode(e); err != nil || e.Code == "" || e.Message == "" {
		return fmt.Errorf("read answer of gatewayd: unexpected status %s", strings.TrimSpace(response.Status))
	}
	return e
}
