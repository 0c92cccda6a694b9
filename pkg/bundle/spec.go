package bundle

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// specVersion is the oldest one with all that Spec uses, so that older runtimes
// take it.
const specVersion = "1.0.2"

// Spec returns the runtime spec of the launch. packaged is the spec of a
// packaged bundle, nil for a bare tree; it is not changed.
//
// The spec is made anew, and of a package it takes over only: process args,
// cwd, env, umask and rlimits, hostname, root.readonly, tmpfs mounts, read-only
// bind mounts from below Plan.Bundle, and more masked and read-only paths.
// What decides about isolation is gatewayd's in every case and replaced without
// a word: the user (0:0), capabilities (none), noNewPrivileges, namespaces, id
// mappings, cgroup, resources, seccomp, devices of /dev, the mounts of /dev,
// /proc and /sys, the terminal, the OOM score, scheduling, annotations. What a
// package asks for and cannot have, and would miss, is an error that is
// ErrRefused and begins with its place in the JSON: hooks, devices, namespaces
// joined by path, additional group ids, other mounts, sysctls, labels and the
// like.
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
	if err := refuse(packaged); err != nil {
		return nil, fmt.Errorf("spec of %s: %w", p.ID, err)
	}
	spec, err := p.harden(h, packaged)
	if err != nil {
		return nil, fmt.Errorf("spec of %s: %w", p.ID, err)
	}
	return spec, nil
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
	mounts, err := p.mounts(h, packaged, readOnly)
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

func refused(place, why string) error {
	return fmt.Errorf("%s: %w: %s", place, ErrRefused, why)
}
