package posture

import (
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Root is the container's "/".
type Root struct {
	Flags []string `json:"flags,omitempty"` // such as ro
	File  File     `json:"file,omitzero"`   // of the directory; zero: Type tells
	Type  string   `json:"type,omitempty"`  // of a file system that is mounted there
	Upper string   `json:"upper,omitempty"` // the directory of an overlay that is this launch's alone
}

// Mount is one of the spec.
type Mount struct {
	Target  string   `json:"target"`
	Type    string   `json:"type,omitempty"`    // empty: it is bound
	Source  File     `json:"source,omitzero"`   // of a bound one
	Flags   []string `json:"flags,omitempty"`   // such as nosuid
	Below   []string `json:"below,omitempty"`   // flags of what is mounted below it as well
	Tree    bool     `json:"tree,omitempty"`    // what is mounted below its source is there, too
	Private bool     `json:"private,omitempty"` // no mount of the host's comes in later
	Size    uint64   `json:"size,omitempty"`    // at most so many bytes; 0: it does not say
	Inodes  uint64   `json:"inodes,omitempty"`  // likewise
}

func (p *Promise) takeMounts(spec *specs.Spec) error {
	mounts := spec.Mounts
	if len(mounts) > 0 && mounts[0].Destination == "/" {
		root, err := promised(mounts[0])
		if err != nil {
			return err
		}
		p.Root = Root{Flags: root.Flags, Type: root.Type, Upper: option(mounts[0].Options, "upperdir=")}
		mounts = mounts[1:]
	} else if err := p.takeRoot(spec.Root.Path); err != nil {
		return err
	}
	if spec.Root.Readonly {
		p.Root.Flags = append(p.Root.Flags, "ro")
	}
	for _, m := range mounts {
		mount, err := promised(m)
		if err != nil {
			return err
		}
		p.Mounts = append(p.Mounts, mount)
	}
	return nil
}

func (p *Promise) takeRoot(path string) (err error) {
	p.Root.File, err = fileAt(path)
	return err
}

func promised(m specs.Mount) (Mount, error) {
	mount := Mount{Target: filepath.Clean(m.Destination), Type: m.Type}
	for _, o := range m.Options {
		switch name, recursive := strings.CutPrefix(o, "r"); {
		case slices.Contains(mountFlags, o):
			mount.Flags = append(mount.Flags, o)
		case recursive && slices.Contains(mountFlags, name):
			mount.Flags, mount.Below = append(mount.Flags, name), append(mount.Below, name)
		case o == "private", o == "rprivate":
			mount.Private = true
		case o == "bind", o == "rbind":
			mount.Tree = o == "rbind"
			mount.Type = ""
		}
	}
	if mount.Type == "bind" {
		mount.Type = ""
	}
	mount.Size, _ = parseSize(option(m.Options, "size="))
	mount.Inodes, _ = parseSize(option(m.Options, "nr_inodes="))
	if mount.Type != "" {
		return mount, nil
	}
	var err error
	mount.Source, err = fileAt(m.Source)
	return mount, err
}

// mountFlags are those that isolate.
var mountFlags = []string{"ro", "nosuid", "nodev", "noexec"}

// option is the value of the last option that begins with name.
func option(options []string, name string) (value string) {
	for _, o := range options {
		if v, ok := strings.CutPrefix(o, name); ok {
			value = v
		}
	}
	return value
}

// parseSize reads a size of tmpfs(5). One in percent is of a memory that nobody has
// promised: it counts as none.
func parseSize(text string) (uint64, bool) {
	shift := 0
	if i := strings.IndexAny(text, "kKmMgG"); i >= 0 && i == len(text)-1 {
		shift = map[byte]int{'k': 10, 'm': 20, 'g': 30}[text[i]|0x20]
		text = text[:i]
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxUint64>>shift {
		return 0, false
	}
	return n << shift, true
}
