package redaction

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The log that is measured has none of the secrets, and is one of lines.
func TestLog(t *testing.T) {
	text := string(Log(1 << 20))
	if n := strings.Count(text, "\n"); n < 5000 || len(text) != 1<<20 {
		t.Errorf("%d bytes, %d lines", len(text), n)
	}
	if Secrets(200).String(text) != text {
		t.Error("a secret is in it")
	}
	if got := len(Secrets(200).Values()); got != 200 {
		t.Errorf("%d secrets", got)
	}
}

func BenchmarkStream(b *testing.B) {
	text := Log(1 << 20)
	for _, n := range []int{0, 1, 20, 200} {
		set := Secrets(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			best := time.Hour
			for b.Loop() {
				best = min(best, Pass(set, text))
			}
			b.ReportMetric(best.Seconds()*1000, "ms/MiB")
		})
	}
}

func BenchmarkString(b *testing.B) {
	set := Secrets(20)
	text := string(Log(200))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		set.String(text)
	}
}

func BenchmarkCount(b *testing.B) {
	text := Log(1 << 20)
	var table [256]int
	best := time.Hour
	for b.Loop() {
		began := used()
		for _, c := range text {
			table[c]++
		}
		best = min(best, used()-began)
	}
	b.ReportMetric(best.Seconds()*1000, "ms/MiB")
}
