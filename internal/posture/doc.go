// Package posture reads back from the kernel how a container's process is really
// isolated, and compares it with what was promised.
//
// A runtime that leaves out a setting and reports success is noticed by nobody
// else: its word for it is all there is. So the promise is taken from the spec that
// the runtime is given (Of), and the answer from /proc once the program runs
// (Promise.Verify):
//
//	promise, err := posture.Of(spec, posture.Given{…}) // before the container is made
//	report, err := promise.Verify(pid)                 // errors.Is(err, posture.ErrNotBegun): ask again
//	if err := report.Err(); err != nil { … }           // promised and found, side by side
//
// By the time it is looked at, the program has run for a while. What it may do to
// itself is no difference: it may give up capabilities, lower its limits, add
// seccomp filters, become another of its own users where it has CAP_SETUID, and
// another program of its own tree. Where it is given what takes more, it may do that:
// become another user by a set-user-ID file without no_new_privs, mount by
// CAP_SYS_ADMIN, and call chroot(2) by CAP_SYS_CHROOT, after which no mount is seen.
//
// # What is not seen
//
// The kernel shows neither what a seccomp filter does, only how many there are, nor
// mounts below the root of a runtime that has called chroot(2) and not
// pivot_root(2). A promised file system is told by its type and by being none of the
// host's, a bound one by the inode that was there when the promise was made. Other
// processes of the container are not looked at: what its first process has is all
// that they can have been given. What could not be looked at in one process is
// in Report.Unseen.
package posture
