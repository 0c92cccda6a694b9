package bundle

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// specVersion is the oldest one with all that Spec uses, so that older runtimes
// take it.
const specVersion = "1.0.2"

// Spec returns the runtime spec of the launch. packaged is the spec of a
// packaged bundle, nil for a bare tree; it is not changed. For a bundle of
// [Open], SpecOf knows more of it.
//
// The spec is made anew, and of a package it takes over only: process args,
// cwd, env, umask and rlimits, hostname, root.readonly, tmpfs mounts, read-only
// bind mounts from below Plan.Bundle, and more masked and read-only paths.
// Replaced without a word is what says nothing of how well it is isolated: the
// user (0:0), new namespaces, id mappings, cgroup and resources, the terminal,
// the OOM score, scheduling, annotations, and the mounts of /dev, /proc and /sys.
//
// What a package asks for and cannot have, and would miss, is a *Refusal: hooks,
// devices, namespaces joined by path, additional group ids, other mounts,
// sysctls, labels and the like. So is what it says in so many words and would
// isolate it less than the plan does, unless Plan.Override has the plan's in its
// place: capabilities that are not in Plan.Given, a seccomp profile, lists of
// masked or read-only paths that leave one out which every tool writes there,
// mounts with suid or dev, the host's own /proc, all devices. What it leaves
// unsaid is the plan's.
//
// With several Plan.IDs a package keeps its user, group and additional groups,
// and all ids of its own mappings get others of the host; one that Plan.IDs does
// not map is ErrRefused. Its root may become another user: it has CAP_CHOWN,
// CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID and CAP_SETUID over the
// container's ids, and another user has none.
//
// For network "host" /etc/resolv.conf and /etc/hosts of the host are bound
// read-only where the tree has none or an empty one: Spec looks at both.
func (p Plan) Spec(packaged *specs.Spec) (*specs.Spec, error) {
	return p.specOn(thisHost(), packaged)
}

func (p Plan) specOn(h host, packaged *specs.Spec) (*specs.Spec, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("plan %s: %w", p.ID, err)
	}
	if packaged == nil {
		packaged = &specs.Spec{}
	}
	if err := p.judge(packaged); err != nil {
		return nil, fmt.Errorf("spec of %s: %w", p.ID, err)
	}
	spec, err := p.harden(h, packaged)
	if err != nil {
		return nil, fmt.Errorf("spec of %s: %w", p.ID, err)
	}
	return spec, nil
}

// SpecOf is Spec for a bundle of [Open], which may bind what is its own.
func (p Plan) SpecOf(packaged *Packaged) (*specs.Spec, error) {
	if packaged.newPrivileges && !p.Given.NewPrivileges && !p.Override {
		return nil, fmt.Errorf("spec of %s: %w", p.ID, weaker(refused("process.noNewPrivileges", "false is not given")))
	}
	p.Bundle = packaged.Dir
	return p.Spec(packaged.Spec)
}

// judge looks for what a package may not ask for.
func (p Plan) judge(packaged *specs.Spec) error {
	if err := refuse(packaged); err != nil {
		return err
	}
	if p.Override {
		return nil
	}
	return weaker(p.refuseWeaker(packaged))
}

func weaker(err error) error {
	if refusal := new(Refusal); errors.As(err, &refusal) {
		refusal.Weaker = true
	}
	return err
}

func (p Plan) harden(h host, packaged *specs.Spec) (*specs.Spec, error) {
	process, err := p.process(h, packaged.Process)
	if err != nil {
		return nil, err
	}
	hostname, err := p.hostname(packaged)
	if err != nil {
		return nil, err
	}
	readOnly := p.ReadOnly || packaged.Root != nil && packaged.Root.Readonly
	mounts, err := p.mounts(h, packaged)
	if err != nil {
		return nil, err
	}
	linux, err := p.linux(packaged.Linux)
	if err != nil {
		return nil, err
	}
	spec := &specs.Spec{
		Version:  specVersion,
		Process:  process,
		Root:     &specs.Root{Path: p.rootPath(), Readonly: readOnly},
		Hostname: hostname,
		Mounts:   mounts,
		Linux:    linux,
	}
	if len(p.Hooks) > 0 {
		spec.Hooks = &specs.Hooks{CreateContainer: p.Hooks}
	}
	return spec, nil
}

// maxHostname is __NEW_UTS_LEN of the kernel.
const maxHostname = 64

// hostname is never left out: the container would keep the host's.
func (p Plan) hostname(packaged *specs.Spec) (string, error) {
	name := p.Hostname
	if name == "" {
		name = packaged.Hostname
	}
	if name == "" {
		return p.ID[:min(len(p.ID), maxHostname)], nil
	}
	if len(name) > maxHostname || hasNUL(name) {
		return "", refused("hostname", "longer than 64 bytes, or with a NUL")
	}
	return name, nil
}

func refused(place, why string) error { return &Refusal{Place: place, Why: why} }
