package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// A request is one object of known fields, or nothing; what is taken means the same
// when it is sent again, and what is refused says so in words for a terminal.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"rootfs":"/v2","canary":10,"canary_for":"1m30s","wait":true}`))
	f.Add([]byte(`{"bundle":"/b"}{}`))
	known := []string{"rootfs", "bundle", "canary", "canary_for", "wait"}
	f.Fuzz(func(t *testing.T, body []byte) {
		var request DeployRequest
		if err := readObject(bytes.NewReader(body), &request); err != nil {
			checkWords(t, err)
			return
		}
		if request.CanaryFor < 0 {
			t.Errorf("a negative duration: %v", request.CanaryFor)
		}
		if len(bytes.TrimSpace(body)) == 0 {
			return
		}
		var fields map[string]any
		if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
			t.Fatalf("%q is no object: %v", body, err)
		}
		for name := range fields {
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
				t.Errorf("field %q is taken", name)
			}
		}
		sent, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		var again DeployRequest
		if err := readObject(bytes.NewReader(sent), &again); err != nil {
			t.Fatal(err)
		}
		if second, _ := json.Marshal(again); !bytes.Equal(second, sent) {
			t.Errorf("%s becomes %s", sent, second)
		}
	})
}

// checkWords: the server sends them in JSON, which makes them UTF-8.
func checkWords(t *testing.T, err error) {
	t.Helper()
	words := strings.ToValidUTF8(err.Error(), "")
	if !utf8.ValidString(words) || strings.ContainsFunc(words, unicode.IsControl) || len(words) > 8<<10 {
		t.Errorf("%q", err)
	}
}

// Whoever answers on the socket, the client has what was asked for or an error, and
// the error is told in words.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"gateways":[{"name":"web"}]}`), true)
	f.Add(409, []byte(`{"code":"busy","message":"later"}`), false)
	f.Add(204, []byte(nil), true)
	f.Add(500, []byte("<html>"), false)
	f.Fuzz(func(t *testing.T, status int, body []byte, asks bool) {
		var report Report
		var result any
		if asks {
			result = &report
		}
		err := decode(&http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(bytes.NewReader(body))}, result)
		good := status == http.StatusNoContent && !asks || status == http.StatusOK && asks
		if err == nil && !good || err != nil && err.Error() == "" {
			t.Errorf("status %d is %v", status, err)
		}
		if told := new(Error); errors.As(err, &told) && (good || told.Code == "") {
			t.Errorf("status %d is %+v", status, told)
		}
	})
}
