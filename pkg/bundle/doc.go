// Package bundle stages and removes what a launch is made of: the root file
// system, copied from a packaged tree or laid over it, and the config.json that tells an OCI
// runtime how to run it. It starts no container and knows nothing of launches
// but their names.
//
// # A launch, from package to nothing
//
//	ids := bundle.SingleID(os.Getuid(), os.Getgid())
//	packaged, err := bundle.Open("/usr/lib/web/bundle")          // or none: a bare tree
//	id, dir, err := bundle.MakeDir(launches, "web", 7, 0o700)    // web-7-k2x9…
//	copied, err := bundle.Copy(ctx, packaged.Rootfs, rootfs, bundle.CopyOptions{
//		IDs: ids, Helper: []string{"/proc/self/exe", "copy-in-namespace"},
//	})
//	seccomp, err := bundle.DefaultSeccomp()
//	spec, err := bundle.Plan{
//		ID: id, Rootfs: rootfs, Bundle: packaged.Dir, Network: bundle.NetworkHost,
//		IDs: ids, Seccomp: seccomp,
//	}.Spec(packaged.Spec)
//	err = bundle.WriteConfig(dir, spec)
//	// … the runtime's create …
//	err = bundle.ScrubConfig(dir)                                // its secrets are consumed
//	// … the launch ends …
//	err = bundle.Remove(ctx, launches, id, bundle.RemoveOptions{})
//	err = bundle.Remove(ctx, filepath.Dir(rootfs), filepath.Base(rootfs), bundle.RemoveOptions{IDs: ids})
//
// # Who is trusted
//
// The package's files are data. They may be odd (any name, any mode, any link),
// and what a packaged config.json asks for is not what it gets: [Plan.Spec]
// makes a new spec and takes over a short list of members. Nothing follows a
// symbolic link out of a tree.
//
// What a container leaves behind is hostile. The program was root in there and
// could make any tree, of any depth, and in the worst case something still
// changes it. [Remove] works relative to open directories only.
//
// The directories that the caller names (parents, the source's path) are the
// caller's own. Nobody else may write in them; that is not checked.
//
// # What the container gets
//
// New user, pid, mount, ipc, uts and cgroup namespaces; with [NetworkNone] a
// network namespace with nothing but a loopback device, which is down on some
// runtimes. With a single id, 0 in the container is that of Plan.IDs on the
// host, also where a package names another process.user, and all five capability
// sets are empty; with several see below. no_new_privs is set, and the seccomp
// profile is the plan's.
//
// /proc with moby's masked and read-only paths; /dev, /dev/shm, /dev/pts and
// /dev/mqueue of its own; /sys read-only: a new sysfs with a network namespace
// of its own, otherwise (and where the host's /sys is read-only, as inside of
// another container) the host's, with all that is mounted below it.
//
// With a read-only root (Plan.ReadOnly, or the package's root.readonly) a
// private /tmp of at most 256 MiB, unless something is mounted there. A writable
// root has its /tmp in the copy.
//
// With [NetworkHost] the host's /etc/resolv.conf and /etc/hosts, bound read-only
// where the host has the file and the tree has none or an empty one: without
// them no name is resolved, and no package can know them. A dangling symbolic
// link at that place counts as none, and the file is bound where the link leads.
// A host that replaces the file (rename) later is seen by the next launch.
//
// The environment is PATH, then the packaged variables, then the plan's; of two
// with one name the last one holds, and each name is there once. The variables
// by which systemd and gatewayd talk to a process (LISTEN_FDS and its kin,
// NOTIFY_SOCKET, WATCHDOG_USEC) are dropped from a package.
//
// # An overlay instead of a copy
//
//	o, err := bundle.MakeOverlay(dir, source, ids)               // and Plan.Overlay: &o
//
// takes the same few system calls for a tree of any size: the runtime mounts
// source as the lower layer, and what the container writes is below dir, for
// [Remove]. youki and runc can, crun 1.8 cannot. [Survey.OverlayRefusal] and
// [CheckUpper] say beforehand, and by path, what keeps a tree or a place from it:
// owners that the container does not have, since an entry of theirs can be read
// at best; special files; a file system without user.* attributes. Three things
// differ from a copy. The source must not change meanwhile. Names of one file
// (hard links) part when one of them is written. And attributes user.overlay.*
// of the source are taken for the overlay's own.
//
// # Several ids
//
// A [SingleID] takes no privilege and runs no program that changes to another
// user. [SubordinateIDs] are those that the system gives the user beside its own.
// With them [Plan.Spec] keeps a package's users and mappings ([Packaged.IDs] are
// the CopyOptions.SourceIDs of its tree), and root in the container has what a
// server needs to become its own user: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,
// CAP_KILL, CAP_SETGID and CAP_SETUID, over the container's own ids. Call the
// runtime inside of [HoldNamespace] then, and set Plan.InNamespace: in the user
// namespaces that youki makes for a user there is no setgroups(2), with which
// nginx and most other servers begin. Root needs none of that.
//
// # What it does not do
//
//   - With a single id the package's own ids are gone: everything in the copy
//     belongs to one user, 0 in the container.
//   - POSIX ACLs, file capabilities and all other extended attributes but user.*
//     are not copied.
//   - A source that changes while it is copied gives a copy that is wrong, though
//     never one that leads out of the source.
//   - A packaged seccomp profile, cgroup and resource limits are ignored.
//   - A path longer than PATH_MAX in a source is an error; [Remove] has no limit.
//   - [Remove] cannot remove what another user's directory holds, what is
//     immutable, and what is mounted; it removes the rest and names those.
//   - [ScrubConfig] reaches what a file system overwrites in place, as tmpfs does.
//     On others old blocks may remain: keep config.json on a tmpfs.
package bundle
