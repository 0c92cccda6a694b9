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
	"regexp"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

type options struct {
	dir, reflink   string
	tree, treeName string
	user, on       string
	only           *regexp.Regexp
	samples, scale int
	cold, json     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := start(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "staging:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string, w io.Writer) error {
	if len(args) > 0 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx, args[1:])
		}
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
	flags := flag.NewFlagSet("staging", flag.ExitOnError)
	flags.StringVar(&o.dir, "dir", "", "`directory` to work in; what is made there is removed")
	flags.StringVar(&o.reflink, "reflink-dir", "", "another `directory`, on a file system with reflinks")
	flags.StringVar(&o.tree, "tree", "", "tar `file` with a typical root file system")
	flags.StringVar(&o.treeName, "tree-name", "root file system", "what it is")
	flags.StringVar(&o.user, "user", "", "`name` of the user who runs what is measured, when root runs this")
	flags.StringVar(&o.on, "on", "", "what the file systems lie on, to be said below the table")
	run := flags.String("run", "", "measure only what matches this `regexp`, such as ^minbase/copy")
	flags.IntVar(&o.samples, "samples", 5, "`number` of samples of each")
	flags.IntVar(&o.scale, "scale", 1, "make the trees smaller by this `factor`, to try the program")
	flags.BoolVar(&o.cold, "cold", true, "measure with cold caches as well; needs root, and slows the machine down")
	flags.BoolVar(&o.json, "json", false, "print one JSON object with every sample")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.samples < 1 || o.scale < 1 || o.dir == "" {
		flags.Usage()
		return o, errors.New("usage: staging -dir DIR [...]")
	}
	o.only, err = regexp.Compile(*run)
	return o, err
}

// run measures what is asked for. Whatever happens, nothing stays behind.
func run(ctx context.Context, o options) (result *Result, err error) {
	b, err := setUp(o)
	if b != nil {
		defer func() { err = errors.Join(err, b.cleanUp(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return nil, err
	}
	result = b.describe(ctx, o)
	for _, m := range b.plan() {
		if !o.only.MatchString(m.key) {
			continue
		}
		figures, err := b.measure(ctx, m)
		if err != nil {
			return nil, err
		}
		result.Measures = append(result.Measures, figures...)
	}
	result.conclude()
	return result, nil
}
