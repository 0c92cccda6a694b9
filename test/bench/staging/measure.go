package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// measure takes all samples of m: with warm caches, and where it can with cold
// ones. A contender that cannot do it is left out, with the reason.
func (b *bench) measure(ctx context.Context, m measure) ([]Measure, error) {
	if err := b.grow(ctx, m.tree); err != nil {
		return nil, err
	}
	warm := Measure{Key: m.key, Tree: m.tree.String(), Entries: m.tree.is.Entries, What: m.what, Cache: "warm", Inside: m.inside, goals: m.goals}
	for _, c := range m.contenders {
		s := Series{Name: c.name}
		if err := b.try(ctx, m, c); err != nil {
			s.Skipped = err.Error()
		}
		warm.Series = append(warm.Series, s)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	all := []Measure{warm}
	if b.warmOnly == nil && !m.inside {
		cold := warm
		cold.Cache, cold.Series = "cold", append([]Series(nil), warm.Series...)
		all = append(all, cold)
	}
	for i := range all {
		fmt.Fprintf(os.Stderr, "staging: %s, %s\n", m.key, all[i].Cache)
		if err := b.fill(ctx, m, &all[i]); err != nil {
			return nil, fmt.Errorf("measure %s: %w", m.key, err)
		}
	}
	return all, nil
}

// fill takes the samples, the contenders' in turn.
func (b *bench) fill(ctx context.Context, m measure, figures *Measure) error {
	for range b.samples {
		for i, c := range m.contenders {
			if figures.Series[i].Skipped != "" {
				continue
			}
			s, err := b.once(ctx, m, c, figures.Cache == "cold", nil)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			figures.Series[i].add(s)
		}
	}
	return nil
}

// try is the first time of a contender, unmeasured, and whether it did its work.
func (b *bench) try(ctx context.Context, m measure, c contender) error {
	for _, name := range c.needs {
		if err := installed(name); err != nil {
			return err
		}
	}
	_, err := b.once(ctx, m, c, false, func() error {
		if m.leaves == nil {
			return nil
		}
		is, err := b.count(ctx, m.tree.dest())
		if err == nil && is.Entries != m.leaves(m.tree) {
			err = fmt.Errorf("%s leaves %d entries of %d", c.name, is.Entries, m.tree.is.Entries)
		}
		return err
	})
	return err
}

// once takes one sample, and checks what was done before it is undone.
func (b *bench) once(ctx context.Context, m measure, c contender, cold bool, check func() error) (s sample, err error) {
	defer func() {
		// Also what a copy or a removal that failed may have left aside.
		left, _ := filepath.Glob(filepath.Join(m.tree.place, ".*dest*")) // the pattern is good
		for _, path := range append(left, m.tree.dest()) {
			if e := b.scrap(context.WithoutCancel(ctx), path); err == nil {
				err = e
			}
		}
	}()
	for _, before := range []func(context.Context, *tree) error{m.before, c.before} {
		if before == nil {
			continue
		}
		if err := before(ctx, m.tree); err != nil {
			return s, err
		}
	}
	if err := b.settle(ctx, m.tree.place, cold); err != nil {
		return s, err
	}
	if s, err = b.process(ctx, c.argv(m.tree)); err == nil && check != nil {
		err = check()
	}
	return s, err
}
