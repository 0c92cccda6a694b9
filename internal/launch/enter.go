package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
)

// enter returns a command that runs argv inside the container, in its cgroup,
// without capabilities, with no_new_privs and under the container's seccomp
// filter.
//
// nsenter(1) joins the namespaces, since a Go program has too many threads to
// join a user namespace (setns(2)). What it runs there is gatewayd itself,
// which drops what nsenter gained, installs the filter and then becomes argv
// (inside.Confine). gatewayd's binary
// comes in as a sealed memfd: a container that opens /proc/PID/exe of it finds
// nothing it could write to (the attack of CVE-2019-5736).
//
// The runtime's own exec is not used: youki 0.7.0 does not join the user
// namespace and would run the command as the host's root.
func (la *launch) enter(ctx context.Context, argv []string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(la.info.Load().Pid), "-U", "-m", "-p", "-i", "-u", "-C"}
	if la.gateway.Isolation.Network == bundle.NetworkNone {
		args = append(args, "-n") // of the host's, only root may join what it is in already
	}
	if os.Geteuid() != 0 {
		// Our own id is container root's; setgroups(2) is forbidden there.
		args = append(args, "--preserve-credentials")
	}
	args = append(args, "--", "/proc/self/fd/3", "confine", "--")
	cmd := exec.CommandContext(ctx, "nsenter", append(args, argv...)...)
	cmd.Env = probeEnvironment()
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	self, err := la.host.sealed.open()
	if err != nil {
		cmd.Err = err
		return cmd
	}
	cmd.ExtraFiles = []*os.File{self, la.filter} // descriptors 3 and inside.FilterFile
	la.inLeaf(cmd)
	return cmd
}

// probeEnvironment is small on purpose: a probe is no place for secrets.
func probeEnvironment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
}

// sealedSelf is gatewayd's own binary in a sealed memfd, made when it is first
// needed.
type sealedSelf struct {
	once sync.Once
	file *os.File
	err  error
}

func (s *sealedSelf) open() (*os.File, error) {
	s.once.Do(func() { s.file, s.err = sealSelf() })
	return s.file, s.err
}

func sealSelf() (*os.File, error) {
	binary, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("open own binary: %w", err)
	}
	defer func() { _ = binary.Close() }()
	file, err := runtime.Seal("gatewayd", binary)
	if err != nil {
		return nil, fmt.Errorf("seal own binary: %w", err)
	}
	return file, nil
}
