package listen

import "testing"

func benchPort(b *testing.B) (*Port, *Slot, *Slot) {
	p, err := Open(b.Context(), Options{Address: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	one, err := p.Take(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	two, err := p.Take(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return p, one, two
}

func BenchmarkSteer(b *testing.B) {
	p, one, two := benchPort(b)
	for b.Loop() {
		if p.Steer(one, 100) != nil || p.Steer(two, 100) != nil {
			b.Fatal("not steered")
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		p, err := Open(b.Context(), Options{Address: "127.0.0.1:0"})
		if err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}

func BenchmarkCheck(b *testing.B) {
	p, _, _ := benchPort(b)
	for b.Loop() {
		if err := p.Check(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInFlight(b *testing.B) {
	_, one, _ := benchPort(b)
	for b.Loop() {
		if _, err := one.InFlight(); err != nil {
			b.Fatal(err)
		}
	}
}
