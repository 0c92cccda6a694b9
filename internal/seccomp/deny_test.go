package seccomp

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const fastOpen = 0x20000000 // MSG_FASTOPEN of linux/socket.h

func TestDenialsInTheDefaultProfile(t *testing.T) {
	filter := mustCompile(t, Deny(defaultProfile(t), append(Steering(), WayOut()...)...))
	for _, c := range []struct {
		name string
		nr   uint32
		args [6]uint64
		want uint32
	}{
		{"connect", unix.SYS_CONNECT, [6]uint64{3}, eperm},
		{"bind", unix.SYS_BIND, [6]uint64{3}, allow},
		{"accept4", unix.SYS_ACCEPT4, [6]uint64{3}, allow},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [6]uint64{}, eperm},
		{"io_uring_enter", unix.SYS_IO_URING_ENTER, [6]uint64{}, eperm},
		{"io_uring_register", unix.SYS_IO_URING_REGISTER, [6]uint64{}, eperm},
		{"sendto", unix.SYS_SENDTO, [6]uint64{3, 0, 0, unix.MSG_NOSIGNAL}, allow},
		{"sendto fast", unix.SYS_SENDTO, [6]uint64{3, 0, 0, fastOpen}, eperm},
		{"sendto fast, among others", unix.SYS_SENDTO, [6]uint64{3, 0, 0, 1<<40 | fastOpen | unix.MSG_NOSIGNAL}, eperm},
		{"sendmsg", unix.SYS_SENDMSG, [6]uint64{3, 0, 0, fastOpen}, allow}, // it has no fourth argument
		{"sendmsg fast", unix.SYS_SENDMSG, [6]uint64{3, 0, fastOpen}, eperm},
		{"sendmmsg fast", unix.SYS_SENDMMSG, [6]uint64{3, 0, 0, fastOpen}, eperm},
		{"sendmmsg of many", unix.SYS_SENDMMSG, [6]uint64{3, 0, fastOpen, 0}, allow},
		{"write", unix.SYS_WRITE, [6]uint64{3, 0, 0, fastOpen}, allow},
		{"attach", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 51}, eperm},
		{"attach eBPF", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 52}, eperm},
		{"detach", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 68}, eperm},
		{"attach, with an upper half", unix.SYS_SETSOCKOPT, [6]uint64{3, 1<<32 | 1, 7<<32 | 51}, eperm},
		{"detach, negative", unix.SYS_SETSOCKOPT, [6]uint64{3, 0xffffffff<<32 | 1, 0xffffffff<<32 | 68}, eperm},
		{"SO_KEEPALIVE", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, unix.SO_KEEPALIVE}, allow},
		{"SO_REUSEPORT", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, unix.SO_REUSEPORT}, allow},
		{"50 of SOL_SOCKET", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, 50}, allow},
		{"SO_LOCK_FILTER", unix.SYS_SETSOCKOPT, [6]uint64{3, 1, unix.SO_LOCK_FILTER}, allow},
		{"51 of IPPROTO_IP", unix.SYS_SETSOCKOPT, [6]uint64{3, 0, 51}, allow},
		{"51 of IPPROTO_TCP", unix.SYS_SETSOCKOPT, [6]uint64{3, 6, 51}, allow},
		{"51 of IPPROTO_IPV6", unix.SYS_SETSOCKOPT, [6]uint64{3, 41, 51}, allow},
	} {
		if got := run(t, filter, data{nativeArch, c.nr, c.args}); got != c.want {
			t.Errorf("%s: %#x, not %#x", c.name, got, c.want)
		}
	}
}

// A steering option is denied by two ints, which are half of what a filter sees.
func TestWhatIsNotDeniedIsAsBefore(t *testing.T) {
	profile := defaultProfile(t)
	before, after := mustCompile(t, profile), mustCompile(t, Deny(profile, Steering()...))
	for level := range uint64(300) {
		for option := range uint64(256) {
			d := data{nativeArch, unix.SYS_SETSOCKOPT, [6]uint64{3, level, option}}
			want := run(t, before, d)
			if level == 1 && (option == 51 || option == 52 || option == 68) {
				want = eperm
			}
			if got := run(t, after, d); got != want {
				t.Fatalf("level %d, option %d: %#x, not %#x", level, option, got, want)
			}
		}
	}
}

func TestNoProfileStaysNone(t *testing.T) {
	if Deny(nil, WayOut()...) != nil {
		t.Error("a profile was made of none")
	}
}

// few are denials of what anyProfile speaks of.
var few = []Denial{
	{names: []string{"write", "futex"}},
	{names: []string{"read", "socket"}, where: []cube{{1: {0xff, 1}, 2: {0xff, 2}}, {1: {0xff, 1}, 2: {0xff, 3}}}},
	{names: []string{"clone"}, where: []cube{{3: {2, 2}}}},
}

func fewDeny(d data) bool {
	a := d.args
	switch d.number {
	case unix.SYS_WRITE, unix.SYS_FUTEX:
		return true
	case unix.SYS_READ, unix.SYS_SOCKET:
		return a[1]&0xff == 1 && (a[2]&0xff == 2 || a[2]&0xff == 3)
	case unix.SYS_CLONE:
		return a[3]&2 == 2
	}
	return false
}

// Whatever a profile says, what is denied does not pass.
func TestDenialsInAnyProfile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		narrowed := Deny(anyProfile.Draw(t, "profile"), few...)
		for range 50 {
			d := anyData.Draw(t, "data")
			if got := judge(narrowed, d); got != death && fewDeny(d) && got != eperm {
				t.Fatalf("%+v: denied, and %#x", d, got)
			}
		}
	})
}

// All else is as it was, also where rules meet; but for those that compare the
// order of what a denial compares.
func TestDenialsLeaveTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		profile := anyProfile.Draw(t, "profile")
		for _, s := range profile.Syscalls {
			for i := range s.Args {
				s.Args[i].Op = rapid.SampledFrom([]specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpMaskedEqual}).Draw(t, "op")
			}
		}
		narrowed := Deny(profile, few...)
		for range 50 {
			d := anyData.Draw(t, "data")
			if before, after := judge(profile, d), judge(narrowed, d); !fewDeny(d) && before != after {
				t.Fatalf("%+v: was %#x, is %#x", d, before, after)
			}
		}
	})
}
