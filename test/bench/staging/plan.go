package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// a measure is one thing that is done with one tree, by us and by others.
type measure struct {
	key, what  string
	tree       *tree
	before     func(ctx context.Context, t *tree) error // makes what each sample needs; nil: nothing
	leaves     func(t *tree) int64                      // how many entries are at the destination after it; nil: never mind
	contenders []contender                              // the first is ours
	inside     bool                                     // the figure is the call's, not the process's
	goals      []goal
}

// a contender is a command that does it.
type contender struct {
	name   string
	needs  []string                                 // programs
	before func(ctx context.Context, t *tree) error // what it alone needs; nil: nothing
	argv   func(t *tree) []string
}

// dest is where copies are made.
func (t *tree) dest() string { return filepath.Join(t.place, "dest") }

// digests is where the digests of an unchanged tree are kept.
func (t *tree) digests() string { return filepath.Join(t.place, "digests") }

func everything(t *tree) int64 { return t.is.Entries }
func nothing(*tree) int64      { return 0 }

// plan is all that can be measured, in the order of the table.
func (b *bench) plan() []measure {
	var all []measure
	add := func(key string, m func() measure) {
		treeKey, _, _ := strings.Cut(key, "/")
		if t, ok := b.trees[treeKey]; ok {
			planned := m()
			planned.key, planned.tree = key, t
			all = append(all, planned)
		}
	}
	for _, key := range []string{tenFiles, rootfs, manyFiles, oneFile} {
		add(key+"/overlay", func() measure { return b.prepareOverlay(sameAs(tenFiles+"/overlay", "the same for every size", 2)) })
		add(key+"/overlay-removal", func() measure {
			return b.removeOverlay(sameAs(tenFiles+"/overlay-removal", "the same for every size", 2))
		})
	}
	add(rootfs+"/copy", func() measure {
		return b.copies([]goal{timesAsFast(0, 2), memoryAtMost(32e6)}, cp("-a"), rsync(), tarPipe())
	})
	add(rootfs+"/removal", func() measure { return b.removals(b.freshCopy, notSlower(0)) })
	add(rootfs+"/removal-closed", func() measure {
		m := b.removals(b.closedCopy, sameAs(rootfs+"/removal", "as fast as without", 1.2))
		m.what, m.contenders = "removal, a tenth of its directories mode 0000", append(m.contenders, chmodRm())
		return m
	})
	add(oneFile+"/copy", func() measure { return b.copies([]goal{notSlower(0), memoryAtMost(32e6)}, cp("-r")) })
	add(littleFile+"/copy", func() measure { return b.copies(nil, cp("-r")) })
	add(reflinked+"/copy", func() measure {
		return b.copies([]goal{notSlower(0), sameAs(littleFile+"/copy", "O(1): as 1 MB", 2)}, cp("-r"))
	})
	copied, removed := []goal{notSlower(0), memoryAtMost(32e6)}, []goal{notSlower(0)}
	add(tenthFiles+"/copy", func() measure { return b.copies(copied, cp("-a")) })
	add(tenthFiles+"/removal", func() measure { return b.removals(b.freshCopy, removed...) })
	add(manyFiles+"/copy", func() measure { return b.copies(append(copied, linear(tenthFiles+"/copy")), cp("-a")) })
	add(manyFiles+"/removal", func() measure { return b.removals(b.freshCopy, append(removed, linear(tenthFiles+"/removal"))...) })
	add(rootfs+"/digest", func() measure { return b.digests() })
	add(rootfs+"/digest-first", func() measure { return b.firstDigests() })
	return all
}

func (b *bench) copies(goals []goal, others ...contender) measure {
	ours := contender{name: "gatewayd", argv: func(t *tree) []string { return b.call("copy", t.dir, t.dest()) }}
	return measure{what: "copy", leaves: everything, contenders: append([]contender{ours}, others...), goals: goals}
}

func (b *bench) removals(before func(context.Context, *tree) error, goals ...goal) measure {
	ours := contender{name: "gatewayd", argv: func(t *tree) []string { return b.call("remove", t.dest()) }}
	return measure{what: "removal", before: before, leaves: nothing, contenders: []contender{ours, rm()}, goals: goals}
}

func (b *bench) prepareOverlay(goals ...goal) measure {
	ours := contender{name: "gatewayd", argv: func(t *tree) []string { return b.call("overlay", t.dir, t.dest()) }}
	return measure{what: "overlay: prepare", inside: true, contenders: []contender{ours}, goals: append([]goal{atMost(3)}, goals...)}
}

func (b *bench) removeOverlay(goals ...goal) measure {
	m := b.removals(b.usedOverlay, append([]goal{atMost(3)}, goals...)...)
	m.what, m.inside, m.contenders = "overlay: removal, nothing written", true, m.contenders[:1]
	return m
}

func (b *bench) digests() measure {
	ours := contender{name: "gatewayd", before: b.knownDigest, argv: func(t *tree) []string { return b.call("digest", t.dir, t.digests()) }}
	return measure{what: "digest, unchanged", contenders: []contender{ours, sha256sum()}, goals: []goal{timesAsFast(0, 20)}}
}

func (b *bench) firstDigests() measure {
	ours := contender{name: "gatewayd", argv: func(t *tree) []string { return b.call("digest", t.dir) }}
	return measure{what: "digest, first", contenders: []contender{ours, sha256sum()}}
}

// freshCopy is made by cp for all: how a copy lies on the disk matters to who removes it.
func (b *bench) freshCopy(ctx context.Context, t *tree) error {
	return b.do(ctx, "cp", "-a", t.dir, t.dest())
}

func (b *bench) closedCopy(ctx context.Context, t *tree) error {
	if err := b.freshCopy(ctx, t); err != nil {
		return err
	}
	return b.do(ctx, b.call("close", t.dest())...)
}

// usedOverlay was mounted once: the kernel leaves a directory of mode 0000.
func (b *bench) usedOverlay(ctx context.Context, t *tree) error {
	if err := b.do(ctx, b.call("overlay", t.dir, t.dest())...); err != nil {
		return err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%[2]s/upper,workdir=%[2]s/work,userxattr", t.dir, t.dest())
	return b.do(ctx, "unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, t.dest()+"/root")
}

// knownDigest has the tree's digests kept. What changed a moment ago is not.
func (b *bench) knownDigest(ctx context.Context, t *tree) error {
	select {
	case <-time.After(time.Until(t.grown.Add(3 * time.Second))):
	case <-ctx.Done():
		return ctx.Err()
	}
	return b.do(ctx, b.call("digest", t.dir, t.digests())...)
}
