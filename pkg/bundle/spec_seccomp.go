package bundle

import (
	"errors"
	"fmt"
	"os"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultSeccomp returns moby's default profile, which containerd's equals in
// effect, as it is on this kernel for a process without capabilities, and for
// the machine's own architecture alone.
//
// Moby lets the older ABIs of an architecture in, too (i386 and x32 on amd64).
// Their system calls are refused here: they are an attack surface that no
// program of today needs, and a runtime takes 16 ms more of each create to
// generate the filter for three ABIs than for one (youki 0.7.0, libseccomp
// 2.5.4). 32-bit programs need a profile of their own.
//
// Some capabilities let in the system calls that they are for, CAP_SYS_CHROOT
// chroot(2): given are those of Plan.Given.
func DefaultSeccomp(given ...string) (*specs.LinuxSeccomp, error) {
	profile, err := seccomp.GetDefaultProfile(with(given))
	if err != nil {
		return nil, fmt.Errorf("make default seccomp profile: %w", err)
	}
	if len(profile.Architectures) > 1 {
		profile.Architectures = profile.Architectures[:1] // the native one comes first
	}
	return profile, nil
}

// LoadSeccomp reads a profile in moby's format, of which the runtime
// specification's is a part. One without a default action is an error: it would
// let everything through. given is that of DefaultSeccomp.
func LoadSeccomp(path string, given ...string) (*specs.LinuxSeccomp, error) {
	profile, err := loadSeccomp(path, given)
	if err != nil {
		return nil, fmt.Errorf("load seccomp profile %s: %w", path, err)
	}
	return profile, nil
}

func loadSeccomp(path string, given []string) (*specs.LinuxSeccomp, error) {
	data, err := readRegular(path, os.Stat, os.Open)
	if err != nil {
		return nil, err
	}
	profile, err := seccomp.LoadProfile(string(data), with(given))
	if err != nil {
		return nil, err
	}
	if profile == nil || profile.DefaultAction == "" {
		return nil, errors.New("no default action")
	}
	return profile, nil
}

// with is what the profile's conditions are judged by.
func with(capabilities []string) *specs.Spec {
	return &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
}
