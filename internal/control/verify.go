package control

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

// Finding is one thing that was promised of a gateway's isolation, beside what the
// kernel shows.
type Finding struct {
	What     string `json:"what"`
	Promised string `json:"promised"`
	Found    string `json:"found"`
	Differs  bool   `json:"differs"`
}

// Verification is the answer to verify: how the launch is isolated that serves.
type Verification struct {
	Launch   int       `json:"launch"`
	ID       string    `json:"id"`
	Pid      int       `json:"pid"`
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
	Unseen   []string  `json:"unseen,omitempty"` // what could not be looked at, and why
}

// Differences counts the findings that differ.
func (v Verification) Differences() (n int) {
	for _, f := range v.Findings {
		if f.Differs {
			n++
		}
	}
	return n
}

// Verify has the daemon read back from the kernel how the gateway is isolated.
func (c *Client) Verify(ctx context.Context, name string) (v Verification, err error) {
	err = c.do(ctx, http.MethodPost, route(name, "verify"), &v)
	return v, err
}

// WriteVerification writes v for a person, as free of control characters as
// WriteTable.
func WriteVerification(w io.Writer, v Verification) error {
	out := bufio.NewWriter(w)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tWHAT\tPROMISED\tFOUND")
	for _, f := range v.Findings {
		mark := ""
		if f.Differs {
			mark = "!"
		}
		fmt.Fprintln(table, strings.Join([]string{mark, cell(f.What), cell(f.Promised), cell(f.Found)}, "\t"))
	}
	table.Flush() // into out, which keeps the error
	for _, unseen := range v.Unseen {
		fmt.Fprintf(out, "not seen: %s\n", printable(unseen))
	}
	return out.Flush()
}

// isolation is what the kernel shows of it.
func isolation(g Gateway, now time.Time) []string {
	var lines []string
	if !g.VerifiedAt.IsZero() {
		lines = append(lines, "isolation verified "+since(g.VerifiedAt, now)+" ago")
	}
	for _, f := range g.Differs {
		lines = append(lines, fmt.Sprintf("not isolated as promised: %s: promised %s, found %s", printable(f.What), printable(f.Promised), printable(f.Found)))
	}
	for _, unseen := range g.Unseen {
		lines = append(lines, "not seen of its isolation: "+printable(unseen))
	}
	return lines
}
