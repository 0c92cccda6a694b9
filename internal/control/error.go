package control

import (
	"errors"
	"net/http"
)

// ErrNotRunning says that no daemon listens: there is no socket, or nobody
// behind it.
var ErrNotRunning = errors.New("no gatewayd runs")

// Codes of an Error. They are part of the protocol: never renamed.
const (
	CodeConfig         = "config"          // the configuration is faulty, nothing has changed
	CodeUnknownGateway = "unknown-gateway" // no gateway has this name
	CodeFailed         = "failed"          // the daemon tried and it did not work
	CodeRolledBack     = "rolled-back"     // it worked at first, and what was before is back
	CodeRequest        = "request"         // the request itself is wrong
)

// Error is what the daemon answers instead of a result. A Daemon returns one to
// choose the code; the client gets the same back.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// answerOf is the Error that tells the client of err.
func answerOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Code: e.Code, Message: err.Error()}
	}
	return &Error{Code: CodeFailed, Message: err.Error()}
}

func statusOf(code string) int {
	switch code {
	case CodeConfig:
		return http.StatusUnprocessableEntity
	case CodeRolledBack:
		return http.StatusConflict
	case CodeUnknownGateway:
		return http.StatusNotFound
	case CodeRequest:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
