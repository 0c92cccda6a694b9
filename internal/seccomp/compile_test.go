package seccomp

import (
	"math"
	"slices"
	"strings"
	"testing"

	moby "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const (
	allow   = unix.SECCOMP_RET_ALLOW
	eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	death   = unix.SECCOMP_RET_KILL_PROCESS
	foreign = unix.AUDIT_ARCH_I386
)

// What the default profile is known for, written down by hand.
func TestDefaultProfile(t *testing.T) {
	filter := defaultFilter(t)
	for _, c := range []struct {
		name string
		arch uint32
		nr   uint32
		arg  uint64
		want uint32
	}{
		{"read", nativeArch, unix.SYS_READ, 0, allow},
		{"execve", nativeArch, unix.SYS_EXECVE, 0, allow},
		{"read of another architecture", foreign, unix.SYS_READ, 0, death},
		{"read of x32", nativeArch, x32 | unix.SYS_READ, 0, death},
		{"mount", nativeArch, unix.SYS_MOUNT, 0, eperm},
		{"keyctl", nativeArch, unix.SYS_KEYCTL, 0, eperm},
		{"unshare", nativeArch, unix.SYS_UNSHARE, 0, eperm},
		{"setns", nativeArch, unix.SYS_SETNS, 0, eperm},
		{"bpf", nativeArch, unix.SYS_BPF, 0, eperm},
		{"clone3", nativeArch, unix.SYS_CLONE3, 0, enosys},
		{"clone of a thread", nativeArch, unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_THREAD, allow},
		{"clone into a user namespace", nativeArch, unix.SYS_CLONE, unix.CLONE_NEWUSER | unix.CLONE_VM, eperm},
		{"personality 8", nativeArch, unix.SYS_PERSONALITY, 8, allow},
		{"personality to ask", nativeArch, unix.SYS_PERSONALITY, 0xffffffff, allow},
		{"personality 9", nativeArch, unix.SYS_PERSONALITY, 9, eperm},
		{"personality with an upper half", nativeArch, unix.SYS_PERSONALITY, 1<<32 | 8, eperm},
		{"inet socket", nativeArch, unix.SYS_SOCKET, unix.AF_INET, allow},
		{"alg socket", nativeArch, unix.SYS_SOCKET, unix.AF_ALG, eperm},
		{"vsock socket", nativeArch, unix.SYS_SOCKET, unix.AF_VSOCK, eperm},
		{"a number of no system call", nativeArch, 5000, 0, eperm},
	} {
		if got := run(t, filter, data{c.arch, c.nr, [6]uint64{c.arg}}); got != c.want {
			t.Errorf("%s: %#x, not %#x", c.name, got, c.want)
		}
	}
}

// Every system call of the default profile, with each value that it compares by
// and those beside it.
func TestDefaultProfileIsJudgedAlike(t *testing.T) {
	profile, filter := defaultProfile(t), defaultFilter(t)
	values := []uint64{0, math.MaxUint32, math.MaxUint64}
	for _, s := range profile.Syscalls {
		for _, a := range s.Args {
			values = append(values, a.Value-1, a.Value, a.Value+1, a.Value|1<<32, a.Value|1<<63)
		}
	}
	for number := range uint32(len(names) + 2) {
		for _, value := range values {
			d := data{nativeArch, number, [6]uint64{value}}
			if got, want := run(t, filter, d), judge(profile, d); got != want {
				t.Errorf("%+v: %#x, not %#x", d, got, want)
			}
		}
	}
}

// Every name of the default profile is that of a system call here, or of one that
// only older ABIs or other architectures have: else the tables are wrong.
func TestNames(t *testing.T) {
	if nativeArch != unix.AUDIT_ARCH_X86_64 {
		t.Log("the list below is amd64's")
		return
	}
	elsewhere := strings.Fields(`chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64
		fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32
		getgid32 getgroups32 getresgid32 getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 _llseek lstat64 mmap2
		mq_timedreceive_time64 mq_timedsend_time64 _newselect ppoll_time64 pselect6_time64 recv recvmmsg_time64
		riscv_hwprobe rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 send sendfile64
		setfsgid32 setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask
		sigreturn socketcall stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64
		truncate64 ugetrlimit utimensat_time64 waitpid`)
	known := numbers()
	for _, s := range defaultProfile(t).Syscalls {
		for _, name := range s.Names {
			if _, ok := known[name]; ok == slices.Contains(elsewhere, name) {
				t.Errorf("%s: known %t", name, ok)
			}
		}
	}
}

// Whatever a profile says, the filter says it too.
func TestAnyProfile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		profile := anyProfile.Draw(t, "profile")
		filter, err := Compile(profile)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			d := anyData.Draw(t, "data")
			if got, want := run(t, filter, d), judge(profile, d); got != want {
				t.Fatalf("%+v: %#x, not %#x", d, got, want)
			}
		}
	})
}

// Few names and values, so that rules meet.
var (
	anyName      = rapid.SampledFrom([]string{"read", "write", "close", "socket", "clone", "futex", "no_such_call"})
	anyValue     = rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 2, 3, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 2 << 32, 3<<32 | 3, 1 << 63, 1<<64 - 1}), rapid.Uint64())
	anyErrno     = rapid.Ptr(rapid.UintMax(maxErrno), true)
	anyCondition = rapid.Custom(func(t *rapid.T) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{
			Index: rapid.UintMax(5).Draw(t, "index"), Op: rapid.SampledFrom(operators).Draw(t, "op"),
			Value: anyValue.Draw(t, "value"), ValueTwo: anyValue.Draw(t, "valueTwo"),
		}
	})
	anyAction = rapid.SampledFrom([]specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap, specs.ActErrno,
		specs.ActNotify, specs.ActTrace, specs.ActLog, specs.ActAllow,
	})
	anyProfile = rapid.Custom(func(t *rapid.T) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{
			DefaultAction: anyAction.Draw(t, "default"), DefaultErrnoRet: anyErrno.Draw(t, "errno"),
			Syscalls: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) specs.LinuxSyscall {
				return specs.LinuxSyscall{
					Names:  rapid.SliceOfN(anyName, 1, 4).Draw(t, "names"),
					Action: anyAction.Draw(t, "action"), ErrnoRet: anyErrno.Draw(t, "errno"),
					Args: rapid.SliceOfN(anyCondition, 0, 7).Draw(t, "args"),
				}
			}), 0, 12).Draw(t, "syscalls"),
		}
	})
	anyData = rapid.Custom(func(t *rapid.T) data {
		d := data{
			arch: rapid.SampledFrom([]uint32{nativeArch, nativeArch, nativeArch, foreign, 0}).Draw(t, "arch"),
			number: rapid.OneOf(
				rapid.SampledFrom([]uint32{unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_SOCKET, unix.SYS_CLONE, unix.SYS_FUTEX, x32, x32 - 1}),
				rapid.Uint32Max(600), rapid.Uint32()).Draw(t, "number"),
		}
		for i := range d.args {
			d.args[i] = anyValue.Draw(t, "arg")
		}
		return d
	})
)

// Each operator on values around those where a half of them carries over.
func TestConditions(t *testing.T) {
	var values []uint64
	for _, high := range []uint64{0, 1, 2, math.MaxUint32} {
		for _, low := range []uint64{0, 1, 2, 1 << 31, math.MaxUint32} {
			values = append(values, high<<32|low)
		}
	}
	for _, op := range operators {
		for i, value := range values {
			a := specs.LinuxSeccompArg{Index: uint(i % 6), Op: op, Value: value, ValueTwo: values[(i*7)%len(values)]}
			profile := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{a}},
			}}
			filter := mustCompile(t, profile)
			for _, x := range values {
				d := data{arch: nativeArch, number: unix.SYS_READ}
				d.args[a.Index] = x
				if got, want := run(t, filter, d), judge(profile, d); got != want {
					t.Errorf("%+v of %#x: %#x, not %#x", a, x, got, want)
				}
			}
		}
	}
}

// The code for a call can be longer than a conditional jump reaches: that is
// between 36 rules and 37 here.
func TestManyRules(t *testing.T) {
	for _, count := range []uint64{1, 36, 37, 60, 200} {
		profile := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
		for i := range count {
			profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{
				Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 3, Op: specs.OpEqualTo, Value: i}},
			})
		}
		profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{Names: []string{"write"}, Action: specs.ActAllow})
		filter := mustCompile(t, profile)
		for _, d := range []data{
			{nativeArch, unix.SYS_READ, [6]uint64{3: 0}}, {nativeArch, unix.SYS_READ, [6]uint64{3: count - 1}},
			{nativeArch, unix.SYS_READ, [6]uint64{3: count}}, {arch: nativeArch, number: unix.SYS_WRITE}, {arch: nativeArch, number: unix.SYS_CLOSE},
		} {
			if got, want := run(t, filter, d), judge(profile, d); got != want {
				t.Errorf("%d rules, %+v: %#x, not %#x", count, d, got, want)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	much := uint(0x10000) // past what SECCOMP_RET_DATA holds
	entry := func(s specs.LinuxSyscall) *specs.LinuxSeccomp {
		s.Names = []string{"read"}
		return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{s}}
	}
	long := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range 1000 {
		long.Syscalls = append(long.Syscalls, specs.LinuxSyscall{
			Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: uint64(i)}},
		})
	}
	for want, profile := range map[string]*specs.LinuxSeccomp{
		`default action: unknown action ""`: {},
		`unknown action "SCMP_ACT_HUG"`:     entry(specs.LinuxSyscall{Action: "SCMP_ACT_HUG"}),
		"error number 65536":                entry(specs.LinuxSyscall{Action: specs.ActErrno, ErrnoRet: &much}),
		"argument 6":                        entry(specs.LinuxSyscall{Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}}),
		`unknown operator ""`:               entry(specs.LinuxSyscall{Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{}}}),
		"the kernel takes 4096":             long,
	} {
		if filter, err := Compile(profile); err == nil || !strings.Contains(err.Error(), want) || filter != nil {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func defaultProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	profile, err := moby.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func defaultFilter(t *testing.T) Filter { return mustCompile(t, defaultProfile(t)) }

func BenchmarkCompile(b *testing.B) {
	profile := defaultProfile(b)
	for b.Loop() {
		filter, err := Compile(profile)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(filter)), "instructions")
	}
}
