package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/control"
)

const progressEvery = 200 * time.Millisecond

// showProgress shows on a terminal how far the deploy of a gateway is, in one
// line that is gone when the function that it returns is called. Elsewhere it
// shows nothing.
func showProgress(ctx context.Context, w io.Writer, c *control.Client, name string) (end func()) {
	if !isTerminal(w) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { followProgress(ctx, w, c, name) })
	return func() {
		cancel()
		group.Wait()
		fmt.Fprint(w, eraseLine)
	}
}

const eraseLine = "\r\x1b[K"

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

func followProgress(ctx context.Context, w io.Writer, c *control.Client, name string) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		report, err := c.Status(ctx)
		if err != nil {
			continue // the deploy itself will say what is wrong
		}
		if gateways, err := only(report.Gateways, name); err == nil {
			fmt.Fprintf(w, "%s%s: %s", eraseLine, name, progress(gateways[0], time.Now()))
		}
	}
}

// progress is how far a deploy is, in a few words.
func progress(g control.Gateway, now time.Time) string {
	var parts []string
	if d := g.Deploy; d != nil {
		parts = append(parts, control.DescribeDeploy(*d, now))
	} else {
		parts = append(parts, fmt.Sprintf("revision %s serves", g.Revision))
	}
	for _, drain := range g.Draining {
		parts = append(parts, control.DescribeDrain(drain, now))
	}
	return strings.Join(parts, "; ")
}
