package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// data is struct seccomp_data.
type data struct {
	arch, number uint32
	args         [6]uint64
}

// run has filter decide on d. bpf.VM reads words as big-endian, so that is how
// they are laid out; of an argument the lower word comes first all the same.
func run(t interface{ Fatal(...any) }, filter Filter, d data) uint32 {
	program, all := bpf.Disassemble(filter)
	vm, err := bpf.NewVM(program)
	if !all || err != nil {
		t.Fatal("disassemble:", all, err)
	}
	words := []uint32{d.number, d.arch, 0, 0}
	for _, a := range d.args {
		words = append(words, uint32(a), uint32(a>>32))
	}
	var packet []byte
	for _, w := range words {
		packet = binary.BigEndian.AppendUint32(packet, w)
	}
	verdict, err := vm.Run(packet)
	if err != nil {
		t.Fatal("run:", err)
	}
	return uint32(verdict)
}

// judge is what profile says of d by doc.go, one system call at a time.
func judge(profile *specs.LinuxSeccomp, d data) uint32 {
	if d.arch != nativeArch || d.number >= 0x40000000 {
		return unix.SECCOMP_RET_KILL_PROCESS
	}
	otherwise := returned(profile.DefaultAction, profile.DefaultErrnoRet)
	var matching []specs.LinuxSyscall
	for _, s := range profile.Syscalls {
		named := int(d.number) < len(names) && names[d.number] != "" && slices.Contains(s.Names, names[d.number])
		if named && returned(s.Action, s.ErrnoRet) != otherwise {
			matching = append(matching, s)
		}
	}
	for _, s := range matching {
		if len(s.Args) == 0 {
			return returned(s.Action, s.ErrnoRet)
		}
	}
	for _, s := range matching {
		if allHold(s.Args, d) {
			return returned(s.Action, s.ErrnoRet)
		}
	}
	return otherwise
}

func allHold(args []specs.LinuxSeccompArg, d data) bool {
	var indexes []uint
	one, all := false, true
	for _, a := range args {
		indexes = append(indexes, a.Index)
		one, all = one || holds(a, d), all && holds(a, d)
	}
	slices.Sort(indexes)
	if len(slices.Compact(indexes)) < len(args) {
		return one
	}
	return all
}

func holds(a specs.LinuxSeccompArg, d data) bool {
	x := d.args[a.Index]
	switch a.Op {
	case specs.OpEqualTo:
		return x == a.Value
	case specs.OpNotEqual:
		return x != a.Value
	case specs.OpLessThan:
		return x < a.Value
	case specs.OpLessEqual:
		return x <= a.Value
	case specs.OpGreaterThan:
		return x > a.Value
	case specs.OpGreaterEqual:
		return x >= a.Value
	case specs.OpMaskedEqual:
		return x&a.Value == a.ValueTwo&a.Value
	}
	panic("operator")
}

func returned(action specs.LinuxSeccompAction, errno *uint) uint32 {
	code := uint32(unix.EPERM)
	if errno != nil {
		code = uint32(*errno)
	}
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return 0
	case specs.ActKillProcess:
		return 0x80000000
	case specs.ActTrap:
		return 0x00030000
	case specs.ActErrno:
		return 0x00050000 | code
	case specs.ActNotify:
		return 0x7fc00000
	case specs.ActTrace:
		return 0x7ff00000 | code
	case specs.ActLog:
		return 0x7ffc0000
	case specs.ActAllow:
		return 0x7fff0000
	}
	panic("action")
}

func mustCompile(t *testing.T, profile *specs.LinuxSeccomp) Filter {
	t.Helper()
	filter, err := Compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}
