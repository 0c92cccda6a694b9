package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// maxText is the longest argument or NAME=value that execve(2) takes
// (MAX_ARG_STRLEN), less room for a name.
const maxText = 128<<10 - 256

// text takes a string that can be handed to a program: C ends it at a NUL.
func text(r *report, n *node) (string, bool) {
	switch {
	case n.kind != unstable.String:
		r.value(n, "want a string, got %s", kinds[n.kind])
	case strings.ContainsRune(n.text, 0):
		r.value(n, "contains a NUL character")
	case len(n.text) > maxText:
		r.value(n, "is longer than %d bytes", maxText)
	default:
		return n.text, true
	}
	return "", false
}

// texts takes an array of strings.
func texts(r *report, n *node) ([]string, bool) {
	if !n.isArray() {
		r.value(n, "want an array of strings, got %s", kinds[n.kind])
		return nil, false
	}
	var list []string
	ok := true
	for _, element := range n.children {
		s, good := text(r, element)
		list, ok = append(list, s), ok && good
	}
	return list, ok
}

// oneOf takes one of words.
func oneOf(words ...string) checker[string] {
	return func(r *report, n *node) (string, bool) {
		s, ok := text(r, n)
		if !ok || slices.Contains(words, s) {
			return s, ok
		}
		r.word(n, s, quote(s)+" is none of "+strings.Join(words, ", "), words...)
		return "", false
	}
}

// word reports a word that is not among words, with the one that is near.
func (r *report) word(n *node, word, problem string, words ...string) {
	near := nearest(word, words)
	if near != "" {
		near = strconv.Quote(near)
	}
	r.add(n, n.at, near, problem)
}

func boolean(r *report, n *node) (bool, bool) {
	if n.kind != unstable.Bool {
		r.value(n, "want true or false, got %s", kinds[n.kind])
		return false, false
	}
	return n.text == "true", true
}

// integer takes a whole number from low to high.
func integer[T int | int64](low, high T) checker[T] {
	return func(r *report, n *node) (T, bool) {
		if n.kind != unstable.Integer {
			r.value(n, "want an integer, got %s", kinds[n.kind])
			return 0, false
		}
		value, err := strconv.ParseInt(n.text, 0, 64)
		if err != nil || value < int64(low) || value > int64(high) {
			r.value(n, "%s is not between %d and %d", clip(n.text), low, high)
			return 0, false
		}
		return T(value), true
	}
}

// number takes a float or an integer from low to high.
func number(low, high float64) checker[float64] {
	return func(r *report, n *node) (float64, bool) {
		if n.kind != unstable.Float && n.kind != unstable.Integer {
			r.value(n, "want a number, got %s", kinds[n.kind])
			return 0, false
		}
		value, err := parseNumber(n)
		if err != nil || !(value >= low && value <= high) { // so that nan is outside, too
			r.value(n, "%s is not between %g and %g", clip(n.text), low, high)
			return 0, false
		}
		return value, true
	}
}

func parseNumber(n *node) (float64, error) {
	if n.kind == unstable.Integer {
		value, err := strconv.ParseInt(n.text, 0, 64)
		return float64(value), err
	}
	return strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
}

// duration takes a string such as "1m30s", from low to high.
func duration(low, high time.Duration) checker[time.Duration] {
	return func(r *report, n *node) (time.Duration, bool) {
		if n.kind != unstable.String {
			r.value(n, `want a duration in quotes, such as "500ms", "10s" or "1m30s", got %s`, kinds[n.kind])
			return 0, false
		}
		value, err := time.ParseDuration(n.text)
		switch {
		case err != nil:
			r.value(n, `%s is no duration, such as "500ms", "10s" or "1m30s"`, quote(n.text))
		case value < low || value > high:
			r.value(n, "%s is not between %s and %s", quote(n.text), brief(low), brief(high))
		default:
			return value, true
		}
		return 0, false
	}
}

// brief is a duration as a person writes it: 24h, not 24h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
