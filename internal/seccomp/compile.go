package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, and the size of what is read there.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
	word         = 4
)

// x32 marks the calls of the x32 ABI, which has the architecture of amd64. No
// other architecture has numbers so high.
const x32 = 0x40000000

// maxLength is the kernel's BPF_MAXINSNS.
const maxLength = 4096

// Compile makes the filter of a profile. nil is no profile: an empty filter,
// which does nothing.
func Compile(profile *specs.LinuxSeccomp) (Filter, error) {
	if profile == nil {
		return Filter{}, nil
	}
	filter, err := compile(profile)
	if err != nil {
		return nil, fmt.Errorf("compile seccomp profile: %w", err)
	}
	return filter, nil
}

func compile(profile *specs.LinuxSeccomp) (Filter, error) {
	otherwise, err := verdict(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("default action: %w", err)
	}
	calls, err := policy(profile.Syscalls, otherwise)
	if err != nil {
		return nil, err
	}
	program := assemble(calls, otherwise)
	if len(program) > maxLength {
		return nil, fmt.Errorf("%d instructions, the kernel takes %d", len(program), maxLength)
	}
	return bpf.Assemble(program)
}

// assemble is a list of ranges of numbers, each with the code for it: a number
// that is at or past the end of one goes on to the next.
func assemble(calls []call, otherwise uint32) []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: word},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeArch, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
		bpf.LoadAbsolute{Off: offsetNumber, Size: word},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
	}
	for number := 0; number < len(calls); number++ {
		if same(calls, number) {
			continue // one range with the next
		}
		code := calls[number].code(otherwise)
		program = append(program, skipFrom(uint32(number+1), len(code))...)
		program = append(program, code...)
	}
	return append(program, bpf.RetConstant{Val: otherwise})
}

// same says that a number and the next one have the same verdict at all times.
func same(calls []call, number int) bool {
	if number+1 == len(calls) {
		return false
	}
	this, next := calls[number], calls[number+1]
	return len(this.rules) == 0 && len(next.rules) == 0 && this.always == next.always
}

// skipFrom passes over the next length instructions when the number is end or
// more. A conditional jump reaches 255 instructions, an unconditional one all.
func skipFrom(end uint32, length int) []bpf.Instruction {
	if length <= 255 {
		return []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: end, SkipTrue: uint8(length)}}
	}
	return []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: end, SkipTrue: 1},
		bpf.Jump{Skip: uint32(length)},
	}
}
