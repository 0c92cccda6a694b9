package listen

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/step"
)

// rule is what the kernel is told of a group: to which place a new connection goes.
type rule struct {
	serving int   // all that follows does not say otherwise
	canary  int   // share percent of the others, by chance
	share   int   // 0: no canary
	own     []own // connections of ours
}

// own is a connection of ours on its way, known by its source.
type own struct {
	from  netip.AddrPort
	place int
}

// network is where the kernel lets a program find the packet's network header: SKF_NET_OFF
// of <linux/filter.h>, -0x100000. The program runs with the data at the end of the TCP header.
const network = ^uint32(0x100000 - 1)

// program is the filter for r. It looks at the version of the packet itself, so that it is
// the same for IPv4, IPv6 and a socket of both. base is network, or in tests the offset of
// the header in a packet of theirs.
func (r rule) program(base uint32) []bpf.Instruction {
	var v4, v6 []bpf.Instruction
	for _, o := range r.own {
		if o.from.Addr().Unmap().Is4() {
			v4 = append(v4, o.match(base+12, bpf.LoadIndirect{Off: base, Size: 2})...)
		} else {
			v6 = append(v6, o.match(base+8, bpf.LoadAbsolute{Off: base + 40, Size: 2})...)
		}
	}
	program := append(ipv4(base, v4), ipv6(base, v6)...)
	return append(program, r.rest()...)
}

// rest decides on all connections that are not ours.
func (r rule) rest() []bpf.Instruction {
	serving := bpf.RetConstant{Val: uint32(r.serving)}
	if r.share == 0 {
		return []bpf.Instruction{serving}
	}
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtRand},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: 100},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: uint32(r.share), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(r.canary)},
		serving,
	}
}

// match returns o's place when the source is o's; port loads the port, and is what the
// accumulator holds before and after. The address counts too: others use that port.
func (o own) match(source uint32, port bpf.Instruction) []bpf.Instruction {
	ip := o.from.Addr().Unmap().AsSlice()
	words := len(ip) / 4
	// Both skips are to the end of what is here, the inner ones to the load of the port.
	match := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(o.from.Port()), SkipTrue: uint8(2*words + 2)}}
	for i := range words {
		match = append(match,
			bpf.LoadAbsolute{Off: source + uint32(4*i), Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(ip[4*i:]), SkipTrue: uint8(2*(words-1-i) + 1)})
	}
	return append(match, bpf.RetConstant{Val: uint32(o.place)}, port)
}

// ipv4 runs matches on the packets of IPv4, whose header has any length.
func ipv4(base uint32, matches []bpf.Instruction) []bpf.Instruction {
	return family(base, 4, append([]bpf.Instruction{
		bpf.LoadMemShift{Off: base},
		bpf.LoadIndirect{Off: base, Size: 2},
	}, matches...), len(matches))
}

// ipv6 runs matches on those of IPv6 with TCP right behind the header. Where an extension
// header is between, which no connection of ours has, nothing matches.
func ipv6(base uint32, matches []bpf.Instruction) []bpf.Instruction {
	return family(base, 6, append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: base + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(matches) + 1)},
		bpf.LoadAbsolute{Off: base + 40, Size: 2},
	}, matches...), len(matches))
}

// family runs block on the packets of one version of IP, when there is something to match.
func family(base uint32, version int, block []bpf.Instruction, matches int) []bpf.Instruction {
	if matches == 0 {
		return nil
	}
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: base, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(version), SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(block))},
	}, block...)
}

// attach gives the program to the group that fd is a member of. It takes effect at once
// and for all of the group; no privilege is needed (socket(7), SO_ATTACH_REUSEPORT_CBPF).
func (r rule) attach(fd int) error {
	raw, err := bpf.Assemble(r.program(network))
	if err != nil {
		return fmt.Errorf("assemble the filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	err = unix.SetsockoptSockFprog(fd,
		unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	step.Done("connections-steered")
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", err)
}
