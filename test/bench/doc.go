// Command bench measures gatewayd beside what else keeps a service alive for a
// user: a plain systemd service, and podman run in a unit. All run the same
// static binary, gatewayd's example gateway, under one systemd user manager.
// It prints a Markdown table, or with -json all that it measured.
//
//	make bench                      # in the throw-away test host
//	bench -samples 10 -idle 60s     # under a user manager, with gatewayd installed
//
// # What is measured
//
//   - start: from systemctl start of a stopped unit to the first HTTP answer.
//   - restart: from SIGKILL of the gateway's process to the next HTTP answer. The
//     clock starts before the kill; asking starts when the process is dead, so
//     that no answer of the old one counts.
//   - memory: PSS and RSS of the supervisor: every process in the unit's cgroup,
//     or the scope that podman makes for itself, but the gateway. For a plain
//     service that is nobody; podman's pause process, which all containers of a
//     user share, is not counted.
//   - idle: CPU time and voluntary context switches of the same processes, all
//     threads, over a while in which nothing happens but gatewayd's probe each
//     second, extrapolated to an hour. A second gatewayd without a probe shows
//     what is left then.
//
// Starts and kills go round by round, each unit alone, so that a slow minute of
// the machine hits all of them; idle units are watched at the same time. A new
// connection asks every 200 µs, well below what is measured.
//
//   - secrets and isolation: what gatewayd's own records say of launches with a
//     secret in a file: how long a path of the host led to its value, and how long
//     the kernel took to show that the container is isolated as promised.
//   - redaction: the processor time in which the values of 0, 1, 20 and 200 secrets
//     are looked for in a megabyte of a log.
//
// # What is set
//
// systemd restarts the plain service and podman's at once (RestartSec=0, no
// start limit). gatewayd runs as the unit that it ships, with reset_after = "1s"
// instead of 10 s, since a kill comes every few seconds here: after a shorter
// life than that it would back off. podman runs in the foreground, rootless, on
// the host's network like the others, with --cgroups=disabled: the test host has
// no cgroup controllers to offer.
//
// Units, state and podman's containers have names of their own and are removed
// at the end, also after an error or a signal.
package main
