//go:build !amd64 && !arm64

package seccomp

// Without names no profile is compiled, so that no exec probe runs without a
// filter where it ought to have one. Most other architectures need no more than
// these two and a line in gen.go; big-endian ones also another upper and lower.
const nativeArch = 0

var names [0]string
