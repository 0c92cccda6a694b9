package control

import (
	"bytes"
	"mime"
	"net/http"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// redacting is the door through which every answer goes, whatever route it is of:
// none has the value of a secret.
func redacting(h http.Handler, secrets *redact.Set) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &reply{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(a, r)
		w.WriteHeader(a.status)
		_, _ = w.Write(a.shown(secrets)) // fails only when the client is gone
	})
}

// reply keeps an answer until it is complete: a value may be in two parts
// of it.
type reply struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *reply) WriteHeader(status int) { a.status = status }

func (a *reply) Write(part []byte) (int, error) { return a.body.Write(part) }

// Unwrap is for http.ResponseController.
func (a *reply) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *reply) shown(secrets *redact.Set) []byte {
	kind, _, _ := mime.ParseMediaType(a.Header().Get("Content-Type"))
	if kind == "application/json" {
		return secrets.JSON(a.body.Bytes())
	}
	return secrets.Bytes(a.body.Bytes())
}
