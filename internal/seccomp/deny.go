package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A Denial takes system calls out of a profile, whatever the profile says of
// them: they fail with EPERM.
type Denial struct {
	names []string
	where []cube // nil: always
}

// bits compares the bits of an argument that are in mask. Conditions of other
// kinds would look at all 64 bits, and the kernel does not: of an int it takes
// the lower half, so that 1<<32|1 is 1 to it and is not to them.
type bits struct{ mask, value uint64 }

// cube holds where all its arguments, by their index, are as they say.
type cube map[uint]bits

// Steering denies what would change which launch gets new connections, through
// an inherited listener: programs of its SO_REUSEPORT group are attached and
// detached by any member of it. The masks hold all bits that any level and
// any option of Linux has.
func Steering() []Denial {
	const levels, options = 1<<10 - 1, 1<<8 - 1
	d := Denial{names: []string{"setsockopt"}}
	for _, option := range []uint64{unix.SO_ATTACH_REUSEPORT_CBPF, unix.SO_ATTACH_REUSEPORT_EBPF, unix.SO_DETACH_REUSEPORT_BPF} {
		d.where = append(d.where, cube{1: {levels, unix.SOL_SOCKET}, 2: {options, option}})
	}
	return []Denial{d}
}

// WayOut denies what would lead into the host's network by an inherited listener
// or a connection that it has accepted. Such a socket belongs to the host's
// network namespace, and connect(2) with AF_UNSPEC makes it a fresh one that
// may be connected anywhere there. MSG_FASTOPEN connects as well; the flags of
// one message of sendmmsg(2) are not looked at by the kernel (____sys_sendmsg
// takes MSG_EOR alone from there). What io_uring does no filter sees.
// socketcall(2) of i386 has its arguments in memory, where no filter looks.
func WayOut() []Denial {
	flags := func(index uint) []cube { return []cube{{index: {unix.MSG_FASTOPEN, unix.MSG_FASTOPEN}}} }
	return []Denial{
		{names: []string{"connect", "socketcall", "io_uring_setup", "io_uring_enter", "io_uring_register"}},
		{names: []string{"sendto", "sendmmsg"}, where: flags(3)},
		{names: []string{"sendmsg"}, where: flags(2)},
	}
}

// Deny returns the profile with the denials, and leaves the one that it is given
// as it is. nil is no profile, and stays none.
//
// Runtimes and libseccomp differ in which of two rules counts that hold both. So
// what allows a call is narrowed to where it is not denied, and then no two
// rules meet. A rule that compares one of the same arguments by its order cannot
// be narrowed and is dropped, if it allows.
func Deny(profile *specs.LinuxSeccomp, denials ...Denial) *specs.LinuxSeccomp {
	if profile == nil {
		return nil
	}
	denied := *profile
	for _, d := range denials {
		denied.Syscalls = d.apply(&denied)
	}
	return &denied
}

func (d Denial) apply(profile *specs.LinuxSeccomp) []specs.LinuxSyscall {
	var rest []specs.LinuxSyscall
	for _, entry := range profile.Syscalls {
		entry.Names = slices.DeleteFunc(slices.Clone(entry.Names), func(name string) bool { return slices.Contains(d.names, name) })
		if len(entry.Names) > 0 {
			rest = append(rest, entry)
		}
	}
	for _, name := range d.names {
		for _, entry := range rulesFor(name, profile) {
			rest = append(rest, d.narrow(entry)...)
		}
	}
	return append(rest, d.refusals(profile)...)
}

// rulesFor are those that count for one system call: the first without
// conditions alone, if there is one, and none whose action is the default.
func rulesFor(name string, profile *specs.LinuxSeccomp) []specs.LinuxSyscall {
	var rules []specs.LinuxSyscall
	for _, entry := range profile.Syscalls {
		if !slices.Contains(entry.Names, name) || isDefault(entry, profile) {
			continue
		}
		entry.Names = []string{name}
		if len(entry.Args) == 0 {
			return []specs.LinuxSyscall{entry}
		}
		rules = append(rules, entry)
	}
	return rules
}

// isDefault leaves what cannot be judged to who uses the profile.
func isDefault(entry specs.LinuxSyscall, profile *specs.LinuxSeccomp) bool {
	does, err := verdict(entry.Action, entry.ErrnoRet)
	otherwise, errDefault := verdict(profile.DefaultAction, profile.DefaultErrnoRet)
	return err == nil && errDefault == nil && does == otherwise
}

// narrow makes of an entry those that hold where it does and nothing is denied.
func (d Denial) narrow(entry specs.LinuxSyscall) []specs.LinuxSyscall {
	var narrowed []specs.LinuxSyscall
	for _, args := range alternatives(entry.Args) {
		for _, allowed := range d.allowed() {
			if met, ok := allowed.meet(args); ok {
				entry.Args = met
				narrowed = append(narrowed, entry)
			}
		}
	}
	return narrowed
}

// alternatives are the conditions of an entry, of which several on one argument
// are one rule each (see the package comment).
func alternatives(args []specs.LinuxSeccompArg) [][]specs.LinuxSeccompArg {
	seen := map[uint]bool{}
	for _, a := range args {
		if seen[a.Index] {
			return slices.Collect(slices.Chunk(args, 1))
		}
		seen[a.Index] = true
	}
	return [][]specs.LinuxSeccompArg{args}
}

// refusals are the rules that deny, unless the default action does so anyway.
func (d Denial) refusals(profile *specs.LinuxSeccomp) []specs.LinuxSyscall {
	errno := uint(unix.EPERM)
	refusal := specs.LinuxSyscall{Names: d.names, Action: specs.ActErrno, ErrnoRet: &errno}
	if isDefault(refusal, profile) {
		return nil // runtimes leave such a rule out, or refuse it
	}
	if d.where == nil {
		return []specs.LinuxSyscall{refusal}
	}
	var refusals []specs.LinuxSyscall
	for _, denied := range d.where {
		refusal.Args, _ = denied.meet(nil)
		refusals = append(refusals, refusal)
	}
	return refusals
}
