package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/test/bench/figures"
)

// commands are what this program does when it re-executes itself: the first few
// are measured, the others make and count trees.
var commands = map[string]func(ctx context.Context, args []string) error{
	"copy":    copyTree,
	"remove":  removeTree,
	"overlay": makeOverlay,
	"digest":  digest,
	"helper":  bundle.HelperMain,
	"nothing": func(context.Context, []string) error { return nil },
	"grow":    grow,
	"close":   closeSome,
	"count":   count,
}

// an answer is what a sub-command says on stdout.
type answer struct {
	Call    float64 `json:"call_ms"`   // what the call took, without the process around it
	RSS     int64   `json:"rss_bytes"` // the most that this process had, whatever it inherited
	Entries int64   `json:"entries"`
	Bytes   int64   `json:"bytes"`
}

func (a answer) say() error { return json.NewEncoder(os.Stdout).Encode(a) }

// timed makes one call and says what it took.
func timed(call func() error) error {
	began := time.Now()
	if err := call(); err != nil {
		return err
	}
	return answer{Call: figures.Milliseconds(time.Since(began)), RSS: highWater()}.say()
}

func own() bundle.IDMap { return bundle.SingleID(os.Getuid(), os.Getgid()) }

func helper() []string { return []string{"/proc/self/exe", "helper"} }

func copyTree(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("copy: want a source and a destination")
	}
	return timed(func() error {
		_, err := bundle.Copy(ctx, args[0], args[1], bundle.CopyOptions{IDs: own(), Helper: helper()})
		return err
	})
}

func removeTree(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("remove: want a path")
	}
	return timed(func() error {
		return bundle.Remove(ctx, filepath.Dir(args[0]), filepath.Base(args[0]), bundle.RemoveOptions{IDs: own(), Helper: helper()})
	})
}

func makeOverlay(_ context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("overlay: want a lower directory and a path")
	}
	return timed(func() error {
		_, err := bundle.MakeOverlay(args[1], args[0], own())
		return err
	})
}

// digest takes that of args[0], and keeps what it learns in args[1] if given.
func digest(ctx context.Context, args []string) error {
	o := bundle.SurveyOptions{Content: bundle.ContentAll, IDs: own(), Helper: helper()}
	switch len(args) {
	case 1:
	case 2:
		o.Content, o.Cache = bundle.ContentChanged, args[1]
	default:
		return fmt.Errorf("digest: want a tree, and may have a file")
	}
	return timed(func() error {
		_, err := bundle.Examine(ctx, args[0], o)
		return err
	})
}
