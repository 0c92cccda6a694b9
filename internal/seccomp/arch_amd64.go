package seccomp

import "golang.org/x/sys/unix"

//go:generate go run gen.go

const nativeArch = unix.AUDIT_ARCH_X86_64
