package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// escapes are ways into the host's network by a listener of it, in the order of the
// sockets that escape uses them on. Each begins with a socket that listens.
var escapes = []struct {
	name string
	try  func(fd int, to unix.Sockaddr) error
}{
	{"connect", func(fd int, to unix.Sockaddr) error {
		if err := disconnect(fd); err != nil {
			return err
		}
		return pending(unix.Connect(fd, to))
	}},
	{"connect after shutdown", func(fd int, to unix.Sockaddr) error { return pending(unix.Connect(fd, to)) }},
	{"sendto", func(fd int, to unix.Sockaddr) error {
		return pending(unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, to))
	}},
	{"sendto, with an upper half", func(fd int, to unix.Sockaddr) error {
		name, size := rawAddress(to)
		data := []byte("x")
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), 1,
			7<<32|unix.MSG_FASTOPEN, uintptr(unsafe.Pointer(&name[0])), size)
		return pending(result(errno))
	}},
	{"sendmsg", func(fd int, to unix.Sockaddr) error {
		return pending(unix.Sendmsg(fd, []byte("x"), nil, to, unix.MSG_FASTOPEN))
	}},
	{"sendmmsg", func(fd int, to unix.Sockaddr) error { return pending(sendmmsg(fd, to, unix.MSG_FASTOPEN, 0)) }},
	{"fast open at connect", func(fd int, to unix.Sockaddr) error {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); err != nil {
			return err
		}
		if err := pending(unix.Connect(fd, to)); err != nil {
			return err
		}
		_, err := unix.Write(fd, []byte("x"))
		return pending(err)
	}},
	{"io_uring", ringConnect},
}

// escape tries each way on the inherited socket of its own, and tells how it went: what
// listens at the address says "you are out".
func escape(address string) error {
	to := socketAddress(address)
	for i, e := range escapes {
		fd := 3 + i
		if e.name != "connect" {
			_ = unix.Shutdown(fd, unix.SHUT_RDWR) // it is bound yet, and neither listens nor is connected
		}
		fmt.Printf("%s: %s\n", e.name, outcome(fd, e.try(fd, to)))
	}
	fmt.Printf("flag of one message: %s\n", outcome(3+len(escapes), flagOfOneMessage(3+len(escapes), to)))
	listener := 4 + len(escapes)
	fmt.Printf("accepted: %s\n", accepted(listener, to))
	for name, option := range map[string]func() error{
		"attach": func() error { return attach(listener) },
		"detach": func() error { return unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0) },
		"detach, with an upper half": func() error {
			_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(listener), 1<<32|unix.SOL_SOCKET, 1<<32|unix.SO_DETACH_REUSEPORT_BPF, 0, 0, 0)
			return result(errno)
		},
	} {
		fmt.Printf("%s: %v\n", name, option())
	}
	fmt.Println("ready")
	return lastUntilTerm()
}

// accepted uses a connection that comes from the host, once it has come.
func accepted(listener int, to unix.Sockaddr) string {
	fmt.Println("accepts")
	if err := wait(listener, unix.POLLIN); err != nil {
		return err.Error()
	}
	fd, _, err := unix.Accept(listener)
	if err != nil {
		return err.Error()
	}
	if err := disconnect(fd); err != nil {
		return outcome(fd, err)
	}
	return outcome(fd, unix.Connect(fd, to))
}

func outcome(fd int, err error) string {
	if err != nil {
		return err.Error()
	}
	if err := wait(fd, unix.POLLIN); err != nil {
		return err.Error()
	}
	data := make([]byte, 100)
	n, err := unix.Read(fd, data)
	if err != nil {
		return err.Error()
	}
	return string(data[:n])
}

func wait(fd int, events int16) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(fds, 10_000)
		switch {
		case errors.Is(err, unix.EINTR):
		case n == 0:
			return unix.ETIMEDOUT
		default:
			return err
		}
	}
}

func pending(err error) error {
	if errors.Is(err, unix.EINPROGRESS) {
		return nil
	}
	return err
}

func result(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func disconnect(fd int) error {
	name := make([]byte, 16) // AF_UNSPEC
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&name[0])), 16)
	return result(errno)
}

func socketAddress(address string) *unix.SockaddrInet4 {
	ap := netip.MustParseAddrPort(address)
	return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
}

// rawAddress is a struct sockaddr_in.
func rawAddress(to unix.Sockaddr) ([]byte, uintptr) {
	in := to.(*unix.SockaddrInet4)
	name := make([]byte, 16)
	binary.NativeEndian.PutUint16(name, unix.AF_INET)
	binary.BigEndian.PutUint16(name[2:], uint16(in.Port))
	copy(name[4:], in.Addr[:])
	return name, 16
}

// sendmmsg sends one message with the flags of the call, and with flags of its own.
func sendmmsg(fd int, to unix.Sockaddr, flags int, own int32) error {
	name, size := rawAddress(to)
	data := []byte("x")
	iov := unix.Iovec{Base: &data[0], Len: 1}
	message := struct {
		header unix.Msghdr
		length uint32
	}{header: unix.Msghdr{Name: &name[0], Namelen: uint32(size), Iov: &iov, Iovlen: 1, Flags: own}}
	_, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), 1, uintptr(flags), 0, 0)
	return result(errno)
}

// flagOfOneMessage must lead nowhere by itself: no filter could see that flag.
func flagOfOneMessage(fd int, to unix.Sockaddr) error {
	_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	return sendmmsg(fd, to, unix.MSG_NOSIGNAL, unix.MSG_FASTOPEN)
}

func attach(fd int) error {
	all, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err != nil {
		return err
	}
	filter := unix.SockFilter{Code: all[0].Op, Jt: all[0].Jt, Jf: all[0].Jf, K: all[0].K}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: 1, Filter: &filter})
}

// ringConnect is connect(2) by io_uring(7): one entry in the ring of submissions.
func ringConnect(fd int, to unix.Sockaddr) error {
	var params [120]byte // struct io_uring_params
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params[0])), 0)
	if errno != 0 {
		return errno
	}
	at := func(offset int) uint32 { return binary.NativeEndian.Uint32(params[offset:]) }
	const queue, entries = 0, 0x10000000 // IORING_OFF_SQ_RING, IORING_OFF_SQES
	sq, err := unix.Mmap(int(ring), queue, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	sqes, err := unix.Mmap(int(ring), entries, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	name, size := rawAddress(to)
	sqes[0] = 16 // IORING_OP_CONNECT
	binary.NativeEndian.PutUint32(sqes[4:], uint32(fd))
	binary.NativeEndian.PutUint64(sqes[8:], uint64(size))
	binary.NativeEndian.PutUint64(sqes[16:], uint64(uintptr(unsafe.Pointer(&name[0]))))
	binary.NativeEndian.PutUint32(sq[at(40+24):], 0) // sq_off.array: entry 0
	binary.NativeEndian.PutUint32(sq[at(40+4):], 1)  // sq_off.tail
	_, _, errno = unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 0, 0, 0, 0)
	return result(errno)
}

// wayOutSuite is about network = "none" with a listener of the host's network.
func wayOutSuite(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, *bench){
		"no way out":                   suiteNoWayOut,
		"no way out, with a profile":   suiteNoWayOutProfile,
		"a way out":                    suiteWayOut,
		"a way out, steering is ours":  suiteWayOutSteering,
		"no way out for an exec probe": suiteNoWayOutProbe,
		"no new namespace":             suiteNoNamespace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// escaping is a gateway without a network that tries to get out to a listener of ours.
func (b *bench) escaping() config.Gateway {
	b.t.Helper()
	host, err := net.Listen("tcp4", "0.0.0.0:0")
	must(b.t, err)
	b.t.Cleanup(func() { _ = host.Close() })
	go func() {
		for {
			c, err := host.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("you are out"))
		}
	}()
	g := gatewayOn(b.source(), "/prog", "program", "escape", fmt.Sprintf("127.0.0.1:%d", host.Addr().(*net.TCPAddr).Port))
	g.Mounts = append(g.Mounts, config.Mount{Source: reachableSelf(), Target: "/prog", ReadOnly: true})
	g.Staging = b.staging
	g.Isolation.Network = "none"
	for i := range len(escapes) + 2 {
		g.Listen = append(g.Listen, config.Listen{Name: fmt.Sprintf("l%d", i), Address: fmt.Sprintf("127.0.0.%d:0", i+1), Mode: "inherit"})
	}
	return g
}

// tries returns what became of each way, less the one that must never work.
func (b *bench) tries(t *testing.T, g config.Gateway) map[string]string {
	t.Helper()
	s := b.site(g)
	r := s.prepare()
	must(t, s.Switch(r.n, 100))
	must(t, r.Start(t.Context(), r.n))
	r.says("accepts")
	if client, err := net.Dial("tcp", s.address(len(g.Listen)-1)); err == nil { // else it was reset at once
		defer func() { _ = client.Close() }()
	}
	r.says("ready")
	became := map[string]string{}
	for _, line := range b.out.texts(r.id()) {
		if name, result, ok := strings.Cut(line, ": "); ok {
			became[name] = result
		}
	}
	if got := became["flag of one message"]; got != "broken pipe" {
		t.Errorf("with the flag on one message: %q", got)
	}
	delete(became, "flag of one message")
	r.clean()
	return became
}

var steeringTries = []string{"attach", "detach", "detach, with an upper half"}

// nothingWorks fails for a way that was not refused as such.
func nothingWorks(t *testing.T, tries map[string]string) {
	t.Helper()
	if len(tries) != len(escapes)+1+len(steeringTries) {
		t.Errorf("tries: %q", tries)
	}
	for name, got := range tries {
		if got != "operation not permitted" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func suiteNoWayOut(t *testing.T, b *bench) { nothingWorks(t, b.tries(t, b.escaping())) }

// A profile of the operator's allows everything, and gets its denials all the same.
func suiteNoWayOutProfile(t *testing.T, b *bench) {
	for name, profile := range map[string]string{
		"allows all by default": `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["connect"], "action": "SCMP_ACT_ALLOW"}]}`,
		"allows all by name": `{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
			"syscalls": [{"names": ["` + strings.Join(everyCall(t), `", "`) + `"], "action": "SCMP_ACT_ALLOW"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			g := b.escaping()
			g.Isolation.Seccomp = filepath.Join(b.dir, "profile.json")
			must(t, os.WriteFile(g.Isolation.Seccomp, []byte(profile), 0o644))
			nothingWorks(t, b.tries(t, g))
		})
	}
}

// everyCall is all that the default profile names, and more that an escape may use.
func everyCall(t *testing.T) []string {
	t.Helper()
	profile, err := bundle.DefaultSeccomp()
	must(t, err)
	names := []string{"io_uring_setup", "io_uring_enter", "io_uring_register", "clone", "clone3"}
	for _, s := range profile.Syscalls {
		names = append(names, s.Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Each of these ways leads out where it is not denied: else nothing is shown above.
func suiteWayOut(t *testing.T, b *bench) {
	g := b.escaping()
	g.Isolation.Seccomp = "unconfined"
	if err := b.refused(t.Context(), g); !strings.Contains(fmt.Sprint(err), "leads out of network") || !isPermanent(err) {
		t.Errorf("prepare = %v, want it refused", err)
	}
	g.Isolation.AllowConnect = true
	for name, got := range b.tries(t, g) {
		if slices.Contains(steeringTries, name) {
			continue
		}
		if got != "you are out" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func isPermanent(err error) bool {
	return strings.Contains(fmt.Sprint(err), supervisor.ErrPermanent.Error())
}

func suiteWayOutSteering(t *testing.T, b *bench) {
	g := b.escaping()
	g.Isolation.AllowConnect = true
	tries := b.tries(t, g)
	if tries["connect"] != "you are out" || tries["accepted"] != "you are out" {
		t.Errorf("tries: %q", tries)
	}
	for _, name := range steeringTries {
		if got := tries[name]; got != "operation not permitted" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// An exec probe could take a descriptor of the program (pidfd_getfd(2)).
func suiteNoWayOutProbe(t *testing.T, b *bench) {
	g := b.inheriting("", "127.0.0.1:0")
	g.Isolation.Network = "none"
	g.Ready.Probe = execProbe("/prog", "program", "connects")
	s := b.site(g)
	r := s.serving()
	if err := s.Probe(t.Context(), r.n); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
		t.Errorf("connect in a probe: %v", err)
	}
}

func connects() error { return disconnect(0) }

// clone(2) into a new user namespace is refused by a masked comparison of the default
// profile, which not all runtimes read alike.
func suiteNoNamespace(t *testing.T, b *bench) {
	g := gatewayOn(b.source(), "/prog", "program", "namespace")
	g.Mounts = append(g.Mounts, config.Mount{Source: reachableSelf(), Target: "/prog", ReadOnly: true})
	g.Staging = b.staging
	for seccomp, want := range map[string]string{"default": "fork/exec /bin/true: operation not permitted", "unconfined": "<nil>"} {
		g.Isolation.Seccomp = seccomp
		if got := b.output(g); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", seccomp, got, want)
		}
	}
}

func namespaced() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	fmt.Println(cmd.Run())
	return nil
}
