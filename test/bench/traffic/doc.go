// Command traffic measures what clients of a gateway notice when it crashes, is
// deployed anew, or when its supervisor is restarted, side by side with what else
// keeps a gateway alive for a user. It prints Markdown tables, or with -json all
// that it measured.
//
//	make bench-traffic                      # in the throw-away test host
//	scripts/bench-traffic -run 'kills|crash' -columns 'systemd|warm' -kills 20
//	traffic load -address 127.0.0.1:8090 -fresh 500 -for 10s    # its load generator alone
//
// # Columns
//
// All run the same static binary, gatewayd's example gateway, under one systemd
// user manager: a plain service with RestartSec=0; the same behind a socket unit;
// podman run in the foreground of a unit, rootless, on the host's network, with
// --cgroups=disabled, since the test host has no cgroup controllers to offer; and
// the unit of gatewayd that is installed, with an inherited listener and no
// standby, a created or a warm one. gatewayd's restart.reset_after is 20 ms
// instead of 10 s, since a kill comes every tenth of a second: after a shorter
// life than that it would back off.
//
// # Rows
//
//   - kills: from SIGKILL of the gateway's process to the next HTTP answer, without
//     any other load. Asking starts when the process is dead, on a new connection
//     every 200 µs until one is answered. The columns are killed in turn, one at a
//     time, when each is settled: it answers, and its standby is there.
//   - slow: the same with a gateway that needs two seconds before it listens.
//   - crash: the same kills under 500 new connections a second, which a process of
//     its own makes in an open loop; counted is what becomes of each request. A
//     request in flight in the killed launch is one that had begun when the process
//     was dead and failed after the signal; any other failure is a stray one.
//   - deploy: gatewayd deploy --wait, again and again, under the same load and 10
//     kept connections that ask every 10 ms; for podman a restart of the unit.
//     Once with the gateway as it is, which lingers after SIGTERM, and once with
//     one that closes its idle connections at once, as most do. deploy.drain is
//     200 ms, so that kept connections are open at its end.
//   - restart: systemctl restart of the unit, gatewayd's with all that it keeps.
//   - reexec: gatewayd reexec under the same load as deploy. The gap of supervision
//     is the longest that the control socket took to answer around it, asked all
//     the time.
//   - paths: one kept connection that asks as fast as it is answered, new ones, and
//     a download, direct and by each way to a gateway, in turns. Ours are gateways
//     in containers: the same one with a socket of its own says what the container
//     costs. Others' forwarders, where they can be had: pasta, rootlessport.
//   - memory: of all processes of gatewayd's unit, those of every launch included,
//     with a standby and without: what they have of their own (RssAnon). Pages of
//     binaries are there once, standby or not, and those of the runtime's lie in a
//     memfd that gatewayd keeps in any case. And gatewayd's RSS with 5,000 idle
//     connections through its proxy, or as many as RLIMIT_NOFILE lets it have.
//
// podman is killed, and restarted, a quarter as often as the others: each takes it
// half a second.
//
// No figure makes the program fail: a goal is said to hold or to be missed. What
// could not be measured says why in its place.
package main
