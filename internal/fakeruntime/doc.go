// Package fakeruntime is an OCI runtime for tests. It speaks the command line
// that go-runc uses, and misbehaves as it is told to: it hangs, dies, refuses,
// leaves half of its work, or lies.
//
// A test binary becomes it by [Main] at the beginning of TestMain, so that its
// own path is that of a runtime that pkg/runtime takes for youki.
//
// What it does is told by words in the file "behaviour" beside its --root:
//
//	create-hang create-hang-late          before and after the init was forked
//	create-die-early create-die-late      by SIGKILL
//	create-refuse-late                    with words in its log
//	create-orphans                        a child of a parent that is gone
//	create-flood                          a log of many lines
//	create-no-pid create-pid=TEXT         the pid file; as well the file "lie"
//	start-hang start-refuse start-silent
//	start-die                             before the program was let go
//	delete-hang delete-refuse
//
// A container of the fake is PID 1 of a pid namespace, as user root of a user
// namespace, in the cgroup that the spec names and with the spec's environment.
// All else is the host's: its tree, its network. "/prog" is the test binary.
package fakeruntime
