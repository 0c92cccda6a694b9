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
//	launches/<id>/     config.json, the runtime's pid file and logs, record.json
//	rootfs/<id>/       the staged tree, or what an overlay over the source needs
//	runtime/<id>/      the runtime's own state
//	<cgroup>/<id>/     the cgroup leaf, where one can be had
//	a child process    the container's init, waited for by pidfd, reaped by Clean
//
// Clean removes all five in an order in which a crash at any point leaves
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
package launch
