package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The benchmarks measure the proxy beside the direct way, each of program, proxy and
// client in a process of its own: go test -bench . -run '^$' ./internal/proxy
const benchProgram = "GATEWAYD_PROXY_BENCH_PROGRAM"

// benchMain is such a process.
func benchMain(what string) {
	var kind, address string
	var n int
	fmt.Sscan(what, &kind, &address, &n)
	switch kind {
	case "clients":
		benchClients(address, n)
	case "proxy":
		benchProxy(address)
	default:
		benchServer(kind, address)
	}
}

// benchClients makes n connections that have an answer each, and holds them.
func benchClients(address string, n int) {
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			panic(err)
		}
		c.Write([]byte("x"))
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			panic(err)
		}
		all = append(all, c)
	}
	fmt.Println("done")
	io.Copy(io.Discard, os.Stdin) // until the end of the benchmark
	runtime.KeepAlive(all)
}

// benchProxy relays to a program.
func benchProxy(address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	p := New(l, Options{Park: limit})
	p.Add(1, func(ctx context.Context) (net.Conn, error) {
		network := "tcp"
		if address[0] == '/' {
			network = "unix"
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	})
	p.Switch(1, 100)
	fmt.Println(l.Addr())
	select {}
}

// benchServer answers what it reads, or pours.
func benchServer(network, address string) {
	l, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 64<<10)
			for {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				for b[0] == 'P' { // pour until the client goes
					if _, err := c.Write(b); err != nil {
						return
					}
				}
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// another runs this test binary once more, and returns the first word it says.
func another(b *testing.B, what ...any) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchProgram+"="+fmt.Sprintln(what...))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var word string
	if _, err := fmt.Fscanln(out, &word); err != nil {
		b.Fatal(err)
	}
	return word
}

// server is a program on a network, in another process.
func server(b *testing.B, network string) net.Addr {
	b.Helper()
	if network == "unix" {
		return &net.UnixAddr{Name: another(b, network, b.TempDir()+"/s"), Net: network}
	}
	return tcpAddr(b, another(b, network, "127.0.0.1:0"))
}

func tcpAddr(b *testing.B, s string) net.Addr {
	b.Helper()
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// ways to a program: straight by TCP, and through a proxy by TCP and by unix.
func ways(b *testing.B, f func(b *testing.B, a net.Addr)) {
	b.Run("direct", func(b *testing.B) { f(b, server(b, "tcp")) })
	for _, back := range networks {
		b.Run("proxy to "+back, func(b *testing.B) { f(b, tcpAddr(b, another(b, "proxy", server(b, back)))) })
	}
}

func BenchmarkKeepAlive(b *testing.B) {
	ways(b, func(b *testing.B, a net.Addr) {
		c := connect(b, a)
		buf := make([]byte, 200)
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			c.Write(buf)
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		percentiles(b, took)
	})
}

func BenchmarkNewConnection(b *testing.B) {
	ways(b, func(b *testing.B, a net.Addr) {
		buf := make([]byte, 200)
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			c, err := net.Dial(a.Network(), a.String())
			if err != nil {
				b.Fatal(err)
			}
			c.Write(buf)
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		percentiles(b, took)
	})
}

func percentiles(b *testing.B, d []time.Duration) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Nanoseconds())/1000, "µs/median")
	b.ReportMetric(float64(d[len(d)*99/100].Nanoseconds())/1000, "µs/p99")
}

func BenchmarkBulk(b *testing.B) {
	ways(b, func(b *testing.B, a net.Addr) {
		c := connect(b, a)
		buf := make([]byte, 256<<10)
		c.Write([]byte("P"))
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIdle reports what a connection costs that has moved a few bytes and is idle now.
// Its other ends are in other processes.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				idle(b, n)
			}
		})
	}
}

func idle(b *testing.B, n int) {
	p := serve(b, "tcp", Options{Max: n, Park: limit})
	p.Add(1, dialer(server(b, "unix")))
	p.Switch(1, 100)
	heap, rss := memory(b)
	another(b, "clients", p.listener.Addr(), n)
	eventually(b, "all relayed", func() bool { return p.InFlight(1) == n })
	heap2, rss2 := memory(b)
	b.ReportMetric(float64(heap2-heap)/float64(n), "B-heap+stack/connection")
	b.ReportMetric(float64(rss2-rss)/float64(n), "B-rss/connection")
	p.Close()
}

// memory is what lives on the heap and in stacks, and what the kernel says.
func memory(b *testing.B) (live, rss int64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	fmt.Sscan(string(statm), &size, &rss)
	return int64(m.HeapAlloc + m.StackInuse), rss * int64(os.Getpagesize())
}

// BenchmarkSuspend stops and continues a proxy that has connections, as a handover does.
func BenchmarkSuspend(b *testing.B) {
	const n = 2000
	p := serve(b, "tcp", Options{Max: n, Park: limit})
	p.Add(1, dialer(server(b, "unix")))
	p.Switch(1, 100)
	another(b, "clients", p.listener.Addr(), n)
	for b.Loop() {
		_, files, err := p.Suspend(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		p.Continue()
		closeAll(files)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n/1000, "µs/connection")
}
