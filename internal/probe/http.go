package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// maxHeader bounds what a server may send before the body, in bytes.
const maxHeader = 64 << 10

// HTTP returns the probe that gets an http or https URL. An answer of 2xx or
// 3xx is good. Each probe is a connection of its own, without a proxy, without
// following redirects (they could lead elsewhere), and without verifying a
// certificate: the question is whether it works, not who it is.
//
// dial connects in place of what the URL names, which then only says what to ask
// for; nil: the URL's host and port. What is told of an answer has no secrets.
func HTTP(rawURL string, dial Dial, secrets *redact.Set) Probe {
	target, err := url.Parse(rawURL)
	if err != nil {
		return func(context.Context) error { return fmt.Errorf("probe: %w", err) }
	}
	name := "GET " + target.Redacted()
	client := newClient(dial)
	return func(ctx context.Context) error {
		if err := get(ctx, client, target, secrets); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

func newClient(dial Dial) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dial.forHTTP(),
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, // see HTTP
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(ctx context.Context, client *http.Client, target *url.URL, secrets *redact.Set) error {
	began := time.Now()
	request := (&http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: http.Header{}}).WithContext(ctx)
	request.Header.Set("User-Agent", "gatewayd-probe")
	response, err := client.Do(request)
	if err != nil {
		if wrapped := new(url.Error); errors.As(err, &wrapped) {
			err = wrapped.Err // its text repeats the URL, with a password in it
		}
		return plain(ctx, began, secrets.Error(err))
	}
	defer response.Body.Close()
	if response.StatusCode >= 200 && response.StatusCode < 400 {
		return nil
	}
	// What can be had of the body explains; that it never ends does not matter.
	return answered(response.StatusCode, secrets.Head(response.Body, maxExcerpt))
}

func answered(code int, body []byte) error {
	status := fmt.Sprintf("answered %d %s", code, http.StatusText(code))
	if len(body) == 0 {
		return errors.New(status)
	}
	return fmt.Errorf("%s: %s", status, excerpt(body))
}
