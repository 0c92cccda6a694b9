// Package launch carries out the launches of gateways: it joins a source from
// the configuration, the staging of pkg/bundle and the runtime of pkg/runtime
// to the supervisor.Launcher that pkg/supervisor asks for.
//
// A [Host] is what all launches of one gatewayd share: directories, runtime,
// cgroup, identity. A [Launcher] belongs to one gateway and owns its launches.
//
// # What a launch owns
//
// Every launch has a fresh id, <gateway>-<number>-<random>, and owns exactly:
//
//	launches/<id>/        config.json, the runtime's pid file and logs, record.json
//	rootfs/<id>/          the staged tree, or what an overlay over the source needs
//	rootfs/<id>.listenN/  the directory of a socket behind a proxy
//	runtime/<id>/         the runtime's own state
//	<cgroup>/<id>/        the cgroup leaf, where one can be had
//	a child process       the container's init, waited for by pidfd, reaped by Clean
//
// Clean removes all of them in an order in which a crash at any point leaves
// something that [Host.Sweep] of the next gatewayd finds: processes first, then
// secrets, and the directory that names the launch last.
//
// # Who is container root
//
// For an unprivileged gatewayd, container root is the user itself: 0 is mapped to
// the own uid, and with ids = "range" the others to the user's subordinate ids.
// Root's gatewayd maps 0 to 65532 and never to root.
//
// # Overlays
//
// Whether a runtime can make an overlay a container's root is found out by a
// throw-away launch (overlay_try.go), whose answer [Host] keeps (overlays.go).
//
// # Listeners
//
// The ports of a gateway belong to its Launcher (ports.go): they are opened when a
// revision that names them becomes known, outlive launches and revisions, and are
// closed when neither a known revision nor a launch has them. Who connects while no
// launch serves waits for the next one.
//
// A launch takes its part of each (holding.go) before it is staged, and gives it
// back when its last process has ended, before the Exit is sent: so the next launch
// finds the slot that clients wait in. Inherited sockets are descriptors 3 and up, in
// the order of the configuration, with LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID,
// which is 1, or what package inside makes of it where the program is not PID 1.
// Behind a proxy a launch has a port or a directory of its own (target.go), which
// gatewayd enters as a stranger's: by a path that the kernel keeps beneath it.
//
// A probe that goes to one of the ports reaches the launch that is asked and no
// other. After an end and after a probe that failed the slots are looked after, since
// a program may have shut its own down.
//
// An inherited listener is a socket of the host's network. What it could be abused
// for is taken out of the seccomp profile (filter.go, and seccomp.Deny): steering
// always, and with network = "none" all that connects.
//
// # Another image of gatewayd
//
// Suspend holds the launches of a gateway and packs what another image of this
// process needs of them, Resume goes on there, and nothing of a container is touched
// (handover.go). What was not handed over is swept.
package launch
