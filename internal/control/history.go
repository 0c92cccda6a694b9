package control

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteHistory writes h for a person, a line for each revision and the cause
// below those that have one, as free of control characters as WriteTable.
func WriteHistory(w io.Writer, h History, now time.Time) error {
	out := bufio.NewWriter(w)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join([]string{"REVISION", "STATE", "AGE", "WHY", "SOURCE", "DIGEST"}, "\t"))
	for _, r := range h.Revisions {
		fmt.Fprintln(table, strings.Join([]string{
			cell(r.Revision), cell(r.State), since(r.When, now), cell(r.Why), cell(r.Source), cell(shortDigest(r.Digest)),
		}, "\t"))
	}
	table.Flush() // into out, which keeps the error
	for _, r := range h.Revisions {
		if r.Cause != "" {
			fmt.Fprintf(out, "\nrevision %s %s: %s\n", printable(r.Revision), printable(r.State), printable(r.Cause))
		}
	}
	return out.Flush()
}

// shortDigest is enough to tell two apart.
func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	if len(digest) > enough {
		return digest[:enough]
	}
	return digest
}
