package bundle

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// toolAdvice says what may be done about a newuidmap that refuses. Most often it
// is not its own rules that keep it from the mapping.
func toolAdvice(path string) string {
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && set != 0 {
		return "no_new_privs keeps it from its privileges: take NoNewPrivileges= out of the unit, and what implies it (systemd.exec(5))"
	}
	if !privileged(path) {
		return "it has neither root's set-user-ID bit nor file capabilities: install its package anew"
	}
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOSUID != 0 {
		return "its file system is mounted nosuid: mount it without"
	}
	return "give the user the range in /etc/subuid and /etc/subgid (subuid(5)), or take another one"
}

// privileged reports whether the program at path may do more than its caller.
func privileged(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid == 0 && info.Mode()&os.ModeSetuid != 0 {
		return true
	}
	size, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && size > 0
}

// forbidden says what may be done about a kernel that starts nothing in a new
// user namespace (clone(2), user_namespaces(7)).
func forbidden(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return fmt.Errorf("%w: no user namespace more: raise sysctl user.max_user_namespaces (it is %s), or nest them less deep",
			err, sysctl("user/max_user_namespaces"))
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: user namespaces are forbidden%s", err, sysctlAdvice())
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: no user namespaces in this kernel (CONFIG_USER_NS), or ids that cannot be mapped", err)
	}
	return err
}

// sysctlAdvice names the switches that distributions have against user
// namespaces, where one is in the way.
func sysctlAdvice() string {
	switch {
	case sysctl("kernel/unprivileged_userns_clone") == "0":
		return ": set sysctl kernel.unprivileged_userns_clone=1"
	case sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return ": set sysctl kernel.apparmor_restrict_unprivileged_userns=0, or load an AppArmor profile that has userns for this program"
	}
	return ": look for a seccomp filter, a chroot or a security module around this process"
}

func sysctl(name string) string {
	data, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}
