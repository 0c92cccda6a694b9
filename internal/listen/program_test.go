package listen

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// packet is a SYN as the kernel lets the program see it, with the network header at 0.
func packet(from string, options int) []byte {
	source := netip.MustParseAddrPort(from)
	var b []byte
	tcp := binary.BigEndian.AppendUint16(nil, source.Port())
	tcp = append(tcp, make([]byte, 18)...)
	if ip := source.Addr(); ip.Is4() {
		b = make([]byte, 20+4*options)
		b[0], b[9] = 0x40|byte(5+options), 6
		copy(b[12:], ip.AsSlice())
	} else {
		b = make([]byte, 40)
		b[0], b[6] = 0x60, 6
		copy(b[8:], ip.AsSlice())
	}
	return append(b, tcp...)
}

// run interprets r's program. The interpreter knows no chance: a constant stands for it.
func run(t *testing.T, r rule, chance uint32, packet []byte) int {
	t.Helper()
	program := r.program(0)
	for i, in := range program {
		if in == (bpf.LoadExtension{Num: bpf.ExtRand}) {
			program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: chance}
		}
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	place, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return place
}

func aims(n int, from ...string) (all []own) {
	for i, f := range from {
		all = append(all, own{netip.MustParseAddrPort(f), n + i})
	}
	return all
}

func TestProgram(t *testing.T) {
	mixed := aims(4, "127.0.0.1:40000", "[::1]:40000", "127.0.0.1:40001", "[fe80::1]:40000", "10.1.2.3:40000")
	extended := packet("[::1]:40000", 0)
	extended[6] = 0 // hop-by-hop options, and the port's bytes are where the port would be
	for name, c := range map[string]struct {
		rule   rule
		chance uint32
		packet []byte
		want   int
	}{
		"all to one, IPv4":                {rule{serving: 3}, 0, packet("10.0.0.1:1234", 0), 3},
		"all to one, IPv6":                {rule{serving: 3}, 0, packet("[2001:db8::1]:1234", 0), 3},
		"canary, below its share":         {rule{serving: 1, canary: 2, share: 10}, 709, packet("10.0.0.1:1", 0), 2},
		"canary, at its share":            {rule{serving: 1, canary: 2, share: 10}, 710, packet("10.0.0.1:1", 0), 1},
		"canary of one percent":           {rule{serving: 1, canary: 2, share: 1}, 100, packet("[::1]:1", 0), 2},
		"canary of nearly all":            {rule{serving: 1, canary: 2, share: 99}, 99, packet("[::1]:1", 0), 1},
		"own, IPv4":                       {rule{serving: 1, own: mixed}, 0, packet("127.0.0.1:40000", 0), 4},
		"own, IPv4 with options":          {rule{serving: 1, own: mixed}, 0, packet("127.0.0.1:40000", 10), 4},
		"own, IPv6":                       {rule{serving: 1, own: mixed}, 0, packet("[::1]:40000", 0), 5},
		"own, another port":               {rule{serving: 1, own: mixed}, 0, packet("127.0.0.1:40001", 0), 6},
		"own, another address, same port": {rule{serving: 1, own: mixed}, 0, packet("[fe80::1]:40000", 0), 7},
		"own, the last":                   {rule{serving: 1, own: mixed}, 0, packet("10.1.2.3:40000", 0), 8},
		"a client with a port of ours":    {rule{serving: 1, own: mixed}, 0, packet("192.0.2.1:40000", 0), 1},
		"a client of IPv6 with one":       {rule{serving: 1, own: mixed}, 0, packet("[fe80::2]:40000", 0), 1},
		"a client with an address":        {rule{serving: 1, own: mixed}, 0, packet("127.0.0.1:39999", 0), 1},
		"own goes before a canary":        {rule{serving: 1, canary: 2, share: 99, own: mixed}, 0, packet("[::1]:40000", 0), 5},
		"others have the canary":          {rule{serving: 1, canary: 2, share: 99, own: mixed}, 0, packet("[::1]:40001", 0), 2},
		"IPv6 with an extension header":   {rule{serving: 1, own: mixed}, 0, extended, 1},
		"IPv4 where only IPv6 is ours":    {rule{serving: 1, own: aims(4, "[::1]:5")}, 0, packet("127.0.0.1:5", 0), 1},
		"mapped IPv4 is IPv4":             {rule{serving: 1, own: aims(4, "[::ffff:127.0.0.1]:5")}, 0, packet("127.0.0.1:5", 0), 4},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(t, c.rule, c.chance, c.packet); got != c.want {
				t.Errorf("goes to %d, want %d\n%v", got, c.want, c.rule.program(0))
			}
		})
	}
}

// The most connections of ours that there can be at once: one for each relay that
// connects, each place that is proved, and a few probes.
func TestProgramWithManyOfOurs(t *testing.T) {
	var r rule
	for n := range 2 * (maxReaching + 2*slots) {
		for _, ip := range []string{"127.0.0.1", "::1"} {
			r.own = append(r.own, own{netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(30000+n)), n})
		}
	}
	for _, o := range r.own {
		if got := run(t, r, 0, packet(o.from.String(), 0)); got != o.place {
			t.Fatalf("%s goes to %d, want %d", o.from, got, o.place)
		}
	}
	if raw, err := bpf.Assemble(r.program(network)); err != nil || len(raw) > 4096 {
		t.Errorf("%d instructions, %v: the kernel takes 4096", len(raw), err)
	}
}
