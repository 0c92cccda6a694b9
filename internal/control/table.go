package control

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// WriteTable writes r for a person: a line for each gateway, then for those that
// are not ready what is known of why, how connections reach it, what is under way,
// and what it was staged from. Times are told as their distance from now. All text is free of control characters: a cause can be the words of a
// program in a container, and must not drive the terminal of who reads it.
func WriteTable(w io.Writer, r Report, now time.Time) error {
	out := bufio.NewWriter(w)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join([]string{"GATEWAY", "PHASE", "SINCE", "LAUNCH", "REVISION", "CONTAINER ID", "PID", "RESTARTS", "LAST CAUSE", "RUNTIME", "POSTURE"}, "\t"))
	for _, g := range r.Gateways {
		fmt.Fprintln(table, strings.Join(row(g, now), "\t"))
	}
	table.Flush() // into out, which keeps the error
	for _, g := range r.Gateways {
		writeSection(out, printable(g.Name), details(g, now))
	}
	writeSection(out, "left by an earlier gatewayd, and tried again at the next start", leftovers(r.Leftovers))
	return out.Flush()
}

func row(g Gateway, now time.Time) []string {
	return []string{
		cell(g.Name), cell(g.Phase), since(g.Since, now), number(g.Launch), cell(g.Revision), cell(g.ID), number(g.Pid),
		strconv.Itoa(g.Restarts), cell(short(g.Cause)), cell(strings.TrimSpace(g.Runtime + " " + g.RuntimeVersion)), cell(g.Posture),
	}
}

// since says how long it is from t to now, in at most two units.
func since(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "-"
	case d <= 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// short is the beginning of s, as much as a line has room for.
func short(s string) string {
	const room = 40
	if runes := []rune(s); len(runes) > room {
		return string(runes[:room-1]) + "…"
	}
	return s
}

// printable escapes what is not a graphic character: control characters, but
// also those that reorder text (U+202E …) and bytes that are not UTF-8.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, "\\x%02x", s[i])
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
