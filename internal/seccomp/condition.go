package seccomp

import (
	"math"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
)

// operators are what a condition may compare by.
var operators = []specs.LinuxSeccompOperator{
	specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual,
	specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual,
}

// code is the instructions for a call; the last one returns.
func (c call) code(otherwise uint32) []bpf.Instruction {
	if len(c.rules) == 0 {
		return []bpf.Instruction{bpf.RetConstant{Val: c.always}}
	}
	var code []bpf.Instruction
	for _, r := range c.rules {
		code = append(code, r.code()...)
	}
	return append(code, bpf.RetConstant{Val: otherwise})
}

// code returns the verdict, or goes on behind itself. It is made from its end,
// so that each condition knows how far away that is: six conditions of at most
// six instructions, within the reach of a conditional jump.
func (r rule) code() []bpf.Instruction {
	code := []bpf.Instruction{bpf.RetConstant{Val: r.verdict}}
	for _, c := range slices.Backward(r.conditions) {
		code = append(test(c, uint8(len(code))), code...)
	}
	return code
}

// test goes on behind itself when the condition holds, and passes over the next
// rest instructions when not. BPF computes in 32 bits, an argument has 64: the
// upper half comes first.
func test(c specs.LinuxSeccompArg, rest uint8) []bpf.Instruction {
	switch c.Op {
	case specs.OpEqualTo:
		return masked(c.Index, math.MaxUint64, c.Value, rest)
	case specs.OpMaskedEqual:
		return masked(c.Index, c.Value, c.ValueTwo&c.Value, rest)
	case specs.OpNotEqual:
		return []bpf.Instruction{
			upper(c.Index), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(c.Value >> 32), SkipTrue: 2},
			lower(c.Index), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(c.Value), SkipFalse: rest},
		}
	case specs.OpLessThan:
		return ordered(c, bpf.JumpLessThan, bpf.JumpLessThan, rest)
	case specs.OpLessEqual:
		return ordered(c, bpf.JumpLessThan, bpf.JumpLessOrEqual, rest)
	case specs.OpGreaterThan:
		return ordered(c, bpf.JumpGreaterThan, bpf.JumpGreaterThan, rest)
	default: // specs.OpGreaterEqual, as rulesOf has let nothing else through
		return ordered(c, bpf.JumpGreaterThan, bpf.JumpGreaterOrEqual, rest)
	}
}

func masked(index uint, mask, value uint64, rest uint8) []bpf.Instruction {
	return []bpf.Instruction{
		upper(index), and(mask >> 32), bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(value >> 32), SkipFalse: 3 + rest},
		lower(index), and(mask), bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(value), SkipFalse: rest},
	}
}

// ordered compares the upper half by strict, and by last the lower half of what
// is equal in the upper one.
func ordered(c specs.LinuxSeccompArg, strict, last bpf.JumpTest, rest uint8) []bpf.Instruction {
	high := uint32(c.Value >> 32)
	return []bpf.Instruction{
		upper(c.Index),
		bpf.JumpIf{Cond: strict, Val: high, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: high, SkipFalse: 2 + rest},
		lower(c.Index), bpf.JumpIf{Cond: last, Val: uint32(c.Value), SkipFalse: rest},
	}
}

// upper and lower load half of an argument. The architectures that are known
// here are little-endian.
func upper(index uint) bpf.Instruction {
	return bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*index + word), Size: word}
}

func lower(index uint) bpf.Instruction {
	return bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*index), Size: word}
}

func and(mask uint64) bpf.Instruction {
	return bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: uint32(mask)}
}
