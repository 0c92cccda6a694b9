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
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/load"
	"github.com/gatewayd/gatewayd/test/bench/machine"
)

type options struct {
	kills, slow, deploys, restarts, reexecs, rounds int

	only, beside *regexp.Regexp
	binary       string
	json         bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := start(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string, w io.Writer) error {
	if len(args) > 0 && args[0] == "load" {
		return load.Main(ctx, args[1:], w)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	result, err := run(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return result.WriteMarkdown(w)
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("traffic", flag.ContinueOnError)
	flags.IntVar(&o.kills, "kills", 200, "`number` of kills of each, and again under load")
	flags.IntVar(&o.slow, "slow", 6, "`number` of kills of a gateway that starts slowly")
	flags.IntVar(&o.deploys, "deploys", 100, "`number` of deploys of each")
	flags.IntVar(&o.restarts, "restarts", 10, "`number` of restarts of each unit")
	flags.IntVar(&o.reexecs, "reexecs", 20, "`number` of re-executions of gatewayd")
	flags.IntVar(&o.rounds, "rounds", 5, "`number` of turns of each path")
	run := flags.String("run", "", "measure only the rows that match this `regexp`: kills, slow, crash, deploy, restart, reexec, paths, memory")
	beside := flags.String("columns", "", "measure only the columns that match this `regexp`: "+strings.Join(columns, ", "))
	flags.StringVar(&o.binary, "gatewayd", "/usr/local/bin/gatewayd", "`path` of the static binary")
	flags.BoolVar(&o.json, "json", false, "print one JSON object with every sample")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || min(o.kills, o.slow, o.deploys, o.restarts, o.reexecs, o.rounds) < 1 {
		return o, errors.New("usage: traffic [-kills N] [...], numbers from 1; see -help")
	}
	if o.only, err = regexp.Compile(*run); err == nil {
		o.beside, err = regexp.Compile(*beside)
	}
	return o, err
}

// run measures what is asked for. Whatever happens, nothing stays behind.
func run(ctx context.Context, o options) (result *Result, err error) {
	began := time.Now()
	b, err := setUp(ctx, o)
	if b != nil {
		defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	}
	if err != nil {
		return nil, err
	}
	b.result.Machine = machine.Describe(ctx, programs(o.binary)...)
	for _, row := range b.rows() {
		if !o.only.MatchString(row.key) {
			continue
		}
		fmt.Fprintf(os.Stderr, "traffic: %s, after %s\n", row.key, time.Since(began).Round(time.Second))
		row.measure(ctx)
		b.stopAll(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	b.result.Took = time.Since(began).Seconds()
	b.result.conclude()
	return &b.result, nil
}

// programs are those whose versions matter here.
func programs(binary string) []machine.Program {
	youki := filepath.Join(filepath.Dir(binary), "../libexec/gatewayd/youki")
	return []machine.Program{
		{Name: "systemd", Argv: []string{"systemctl", "--version"}},
		{Name: "gatewayd", Argv: []string{binary, "version"}},
		{Name: "youki", Argv: []string{youki, "--version"}},
		{Name: "podman", Argv: []string{"podman", "--version"}},
		{Name: "crun", Argv: []string{"crun", "--version"}},
	}
}
