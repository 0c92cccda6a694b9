package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Probe asks once. nil: it works. It blocks until there is an answer, at most
// until ctx ends, and leaves nothing behind: no connection, no process. A Probe
// is safe for concurrent use.
type Probe func(ctx context.Context) error

// maxExcerpt is how much of a gateway's own words an error carries, in bytes.
const maxExcerpt = 512

// excerpt quotes what a gateway said. The words are a stranger's: control
// characters in them must not reach a terminal or the status line.
func excerpt(b []byte) string {
	if len(b) > maxExcerpt {
		b = b[:maxExcerpt]
	}
	return strconv.Quote(strings.TrimSpace(string(b)))
}

// plain is err in the words that a person needs at night: of "dial tcp
// 127.0.0.1:8090: connect: connection refused" the last three, since the rest
// is in the probe's name. began and ctx tell what a timeout was.
func plain(ctx context.Context, began time.Time, err error) error {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return ended(ctx, began)
	}
	if system := new(os.SyscallError); errors.As(err, &system) {
		return system.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errNoAnswer
	}
	return &quotedError{err}
}

// errNoAnswer is what net/http calls EOF.
var errNoAnswer = errors.New("connection closed before a whole answer came")

// quotedError is an error whose text may hold the words of a stranger, such as
// "malformed HTTP response" with the response.
type quotedError struct{ err error }

func (e *quotedError) Error() string { return oneLine(e.err.Error()) }
func (e *quotedError) Unwrap() error { return e.err }

// ended says how ctx ended.
func ended(ctx context.Context, began time.Time) error {
	err := ctx.Err()
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &timeoutError{time.Since(began).Round(time.Millisecond)}
}

// timeoutError is a context.DeadlineExceeded that says after how long.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return fmt.Sprintf("no answer within %s", e.after) }
func (e *timeoutError) Unwrap() error   { return context.DeadlineExceeded }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }

// oneLine is s with control characters escaped and cut to about maxExcerpt bytes.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, string(utf8.RuneError)) {
		if b.Len() >= maxExcerpt {
			break
		}
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
