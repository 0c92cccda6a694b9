// Package seccomp makes the filter of a container once more, for what is not
// started by the container's runtime: an exec probe joins a container that runs,
// and a seccomp filter is nothing that one could join.
//
//	filter, err := seccomp.Compile(spec.Linux.Seccomp) // in gatewayd
//	file, err := filter.File()                         // which the probe inherits
//	filter, err := seccomp.Read(file)                  // in the probe's process
//	err = filter.Install()                             // the last act before execve
//
// Runtimes have libseccomp for this, which needs cgo; gatewayd is static. What a
// profile means is nowhere written down but in what runc makes libseccomp do, so
// this is the same:
//
//   - A rule whose action is the default is passed over, and so is a name that
//     this architecture has no system call for.
//   - Of the rules for one system call, the first without conditions decides
//     alone. Otherwise it is the first whose conditions all hold; the default, if
//     there is none.
//   - A rule with several conditions on one argument holds when any of its
//     conditions does.
//   - A masked value is compared under the mask on both sides.
//
// In two things it is stricter. The older ABIs of an architecture (i386 and x32
// on amd64) are refused, by death, even where the profile lists them: a probe is
// a program of the machine's own architecture. And the profile's flags are not
// set, one of which turns off what protects from speculation.
//
// SCMP_ACT_NOTIFY and SCMP_ACT_TRACE have nobody to ask here, at which the
// kernel lets the call fail with ENOSYS (seccomp(2)).
package seccomp
