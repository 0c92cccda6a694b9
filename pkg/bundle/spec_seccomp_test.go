package bundle

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestDefaultSeccomp(t *testing.T) {
	profile, err := DefaultSeccomp()
	must(t, err)
	if profile.DefaultAction != specs.ActErrno {
		t.Errorf("default action %s", profile.DefaultAction)
	}
	own := map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64}[runtime.GOARCH]
	if own != "" && (len(profile.Architectures) != 1 || profile.Architectures[0] != own) {
		t.Errorf("architectures %v", profile.Architectures)
	}
	for _, call := range []string{"mount", "bpf", "init_module", "reboot", "keyctl", "userfaultfd", "setns", "unshare"} {
		if allows(profile, call) {
			t.Errorf("%s is allowed", call)
		}
	}
	for _, call := range []string{
		"read", "openat2", "execve", "ptrace", "futex", "accept4",
		// What becomeAnother is for: the capabilities decide, not the filter.
		"setgroups", "setuid", "setgid", "setresuid", "setresgid", "setreuid", "setregid", "chown", "fchownat", "fchmodat", "kill",
	} {
		if !allows(profile, call) {
			t.Errorf("%s is not allowed", call)
		}
	}
}

// allows reports whether call is allowed whatever its arguments.
func allows(profile *specs.LinuxSeccomp, call string) bool {
	return slices.ContainsFunc(profile.Syscalls, func(s specs.LinuxSyscall) bool {
		return s.Action == specs.ActAllow && len(s.Args) == 0 && slices.Contains(s.Names, call)
	})
}

func TestLoadSeccomp(t *testing.T) {
	dir := scratch(t)
	load := func(text string) (*specs.LinuxSeccomp, error) {
		path := filepath.Join(dir, "profile.json")
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return LoadSeccomp(path)
	}
	profile, err := load(`{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}`)
	if err != nil || len(profile.Syscalls) != 1 || !allows(profile, "read") || profile.Architectures[0] != specs.ArchX86_64 {
		t.Errorf("%+v, %v", profile, err)
	}
	for _, text := range []string{``, `{}`, `{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, `null`, `{"defaultAction": 1}`} {
		if profile, err := load(text); err == nil {
			t.Errorf("%q was taken: %+v", text, profile)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "gone")} {
		if _, err := LoadSeccomp(path); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
}
