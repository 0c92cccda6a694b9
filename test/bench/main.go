package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/machine"
	"github.com/gatewayd/gatewayd/test/bench/redaction"
)

type options struct {
	samples int
	idle    time.Duration
	binary  string
	json    bool
}

func main() {
	var o options
	flag.IntVar(&o.samples, "samples", 10, "`number` of starts and kills of each")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long to watch them idle; 0: not at all")
	flag.StringVar(&o.binary, "gatewayd", "/usr/local/bin/gatewayd", "`path` of the static binary")
	flag.BoolVar(&o.json, "json", false, "print one JSON object with every sample")
	flag.Parse()
	if flag.NArg() > 0 || o.samples < 1 || o.idle < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything and writes the result to w. Whatever happens, nothing
// stays behind.
func run(ctx context.Context, o options, w io.Writer) (err error) {
	b, err := setUp(ctx, o)
	if b != nil {
		defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	}
	if err != nil {
		return err
	}
	result := Result{Machine: machine.Describe(ctx, programs(o.binary)...), Samples: o.samples}
	b.try(ctx)
	for i := range o.samples {
		fmt.Fprintf(os.Stderr, "bench: round %d of %d\n", i+1, o.samples)
		if err := b.round(ctx); err != nil {
			return err
		}
	}
	if o.idle > 0 {
		fmt.Fprintf(os.Stderr, "bench: idle for %s\n", o.idle)
		if err := b.watch(ctx, o.idle); err != nil {
			return err
		}
	}
	for _, c := range b.columns {
		result.Columns = append(result.Columns, c.Figures)
	}
	fmt.Fprintln(os.Stderr, "bench: launches with a secret")
	guarded, err := b.launches(ctx, o.samples)
	if err != nil {
		return err
	}
	result.Guarded = &guarded
	result.Redaction = redaction.Measure()
	if o.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return result.WriteMarkdown(w)
}

// programs are those whose versions matter here.
func programs(binary string) []machine.Program {
	youki := filepath.Join(filepath.Dir(binary), "../libexec/gatewayd/youki")
	return []machine.Program{
		{Name: "systemd", Argv: []string{"systemctl", "--version"}},
		{Name: "gatewayd", Argv: []string{binary, "version"}},
		{Name: "youki", Argv: []string{youki, "--version"}},
		{Name: "podman", Argv: []string{"podman", "--version"}},
		{Name: "conmon", Argv: []string{"conmon", "--version"}},
		{Name: "crun", Argv: []string{"crun", "--version"}},
	}
}
