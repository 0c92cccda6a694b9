package redaction

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gatewayd/gatewayd/internal/redact"
)

// Log is a log of some size as gateways write it: the same each time.
func Log(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < size {
		line(&b, random)
	}
	return []byte(b.String()[:size])
}

func line(b *strings.Builder, random *rand.Rand) {
	id, code := random.Uint64(), 200+random.IntN(300)
	path := words[random.IntN(len(words))] + "/" + words[random.IntN(len(words))]
	switch random.IntN(6) {
	case 0:
		fmt.Fprintf(b, `{"level":"info","ts":"2026-11-23T12:00:%02d.%03dZ","msg":"request","method":"GET","path":"/api/%s?q=%s%%20%s&n=%d","status":%d,"request_id":"%016x","agent":"Mozilla/5.0 (X11; Linux x86_64)"}`,
			random.IntN(60), random.IntN(1000), path, words[random.IntN(len(words))], words[random.IntN(len(words))], code, code, id)
	case 1:
		fmt.Fprintf(b, `127.0.0.1 - - [23/Nov/2026:12:00:00 +0000] "POST /%s HTTP/1.1" %d %d "-" "curl/8.5.0"`, path, code, random.IntN(1<<20))
	case 2:
		fmt.Fprintf(b, "goroutine %d [running]:\ngithub.com/example/%s.(*Server).Serve(0x%x, {0x%x, 0x%x})\n\t/src/github.com/example/%s.go:%d +0x%x", code, path, id, id>>8, id>>16, path, code, code)
	case 3:
		for range 12 {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
	case 4:
		fmt.Fprintf(b, `{"level":"error","error":"decode \"%s\": unexpected end\nof input","detail":"C:\\%s\\%s"}`, path, words[0], words[1])
	case 5:
		fmt.Fprintf(b, "cache miss for sha256:%016x%016x%016x%016x etag=%s", id, id*3, id*5, id*7, base64.StdEncoding.EncodeToString(fmt.Append(nil, id, path)))
	}
	b.WriteString("\n")
}

var words = strings.Fields(`accept address backend balance cache client close config connection context deadline delete
	deploy dial drain encode error event failed fetch forward gateway handler header health http index insert internal
	latency listen load lookup message metrics migrate network open parse peer pool probe proxy queue query read ready
	refused reload reset response restart retry route schema select server service session shutdown socket start state
	status stream timeout token trace update upstream user value version worker write`)

// Secrets are n values as gateways have them, a key of several lines among 20.
func Secrets(n int) *redact.Set {
	random := rand.New(rand.NewPCG(3, 4))
	set := &redact.Set{}
	for i := range n {
		length := 20 + random.IntN(45)
		if i%20 == 19 {
			length = 1700
		}
		value := make([]byte, length)
		for j := range value {
			value[j] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(62)]
			if length > 1000 && j%65 == 64 {
				value[j] = '\n'
			}
		}
		set.Add(fmt.Sprint("secret-", i), value)
	}
	return set
}
