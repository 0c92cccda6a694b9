// Package inside is what of gatewayd's binary runs inside a container, or in
// its namespaces: the init of a launch, the hook that brings the loopback up,
// and what confines an exec probe. Each is the body of a hidden command.
//
// # gatewayd init -- PROGRAM ARG…
//
// Init is PID 1 of the container when isolation.init is true. It runs the
// program as its child, in a session of its own, hands signals on to it, reaps
// the orphans, and ends when the program ends; the kernel then kills whatever is
// left in the pid namespace. Handed on is every signal that a process may catch
// but SIGCHLD and what Go's runtime keeps for itself: SIGURG, SIGPROF and the
// signals 32 to 34.
//
// How the program ended must come out truly, but the init of a pid namespace
// cannot die by a signal of its choice: from within its namespace the kernel
// drops every signal for which it has no handler, SIGKILL and SIGSTOP too
// (pid_namespaces(7), SIGNAL_UNKILLABLE in kernel/signal.c), and with a handler
// it does not die. What is left is an exit code, so Init exits with the
// program's code, or with 128+n for signal n as shells do. That leaves one bit
// open: a program can exit with code 143 by itself. Init therefore also leaves
// a word in its own name, /proc/PID/comm, which the kernel keeps until the
// process is reaped and which no other process can write. Outcome reads both;
// Decode sees the code alone and takes 128+n for a signal.
//
// A program that cannot be run at all gives code 127 (there is none) or 126
// (it is there), with the reason on stderr.
//
// Sockets passed to the launch (LISTEN_FDS) reach the program, with LISTEN_PID
// set to its own pid: Init started it through the same command once more,
// which, not being PID 1, sets the variable and becomes the program.
//
// # gatewayd hook
//
// LoopbackUp is an OCI createContainer hook for network = "none". It runs in
// the container's new network namespace, with all capabilities in the user
// namespace that owns it, before the program can run. Some runtimes leave "lo"
// down; then nothing in the container could talk to itself.
//
// # gatewayd confine -- PROGRAM ARG…
//
// Confine is what an exec probe runs after nsenter has joined the container:
//
//	nsenter -t PID -U -m -p -i -u --preserve-credentials -- /proc/self/fd/N confine -- PROGRAM ARG…
//
// and with -n where the container has a network namespace of its own: the
// host's can be joined by nobody who has left the host's user namespace.
//
// Joining a user namespace gives all capabilities in it, which no program of
// the container has. Confine gives them up, with all else that the program must
// not inherit: descriptors above 2, and the right to gain anything by execve.
// What cannot be joined is the container's seccomp filter: Confine reads it from
// descriptor 4, a sealed file of package seccomp, and installs it as its last
// act. Without that, or with anything else there, the program is not run; an
// empty one stands for a container without a filter.
//
// /proc/self/fd/N ought to be a sealed memfd: through /proc/PID/exe a program
// could otherwise overwrite gatewayd's binary on the host (CVE-2019-5736).
package inside
