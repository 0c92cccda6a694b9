// Package bundle stages and removes what a launch is made of: the root file
// system, copied from a packaged tree or laid over it, and the config.json that
// tells an OCI runtime how to run it. It starts no container and knows nothing of
// launches but their names.
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
//		ID: id, Rootfs: rootfs, Network: bundle.NetworkHost, IDs: ids, Seccomp: seccomp, Tmp: 256 << 20,
//	}.SpecOf(packaged)
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
// profile is the plan's. [Given] is what of this a plan may give back.
//
// /proc with moby's masked and read-only paths; /dev, /dev/shm, /dev/pts and
// /dev/mqueue of its own; /sys read-only: a new sysfs with a network namespace
// of its own, otherwise (and where the host's /sys is read-only, as inside of
// another container) the host's, with all that is mounted below it.
//
// With Plan.Tmp a /tmp in memory, of bounded size and number of files, unless
// something is mounted there. Else /tmp is the root's, which cannot be written
// where the root is read-only (Plan.ReadOnly, or the package's root.readonly).
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
// # What only a user namespace can do
//
// A mode such as 0000 keeps even its owner out, and nobody but root may give a
// file away: not so root of a user namespace, over the ids that it maps. For that
// Copy, Examine and Remove start a helper, a program of the caller's that calls
// [HelperMain] and nothing else: gatewayd's is "/proc/self/exe stage". It is
// started for such a tree alone, gets an empty environment, and ends with the
// caller. Without one such an entry is an error, and is named.
//
// # What a tree is
//
//	survey, err := bundle.Examine(ctx, source, bundle.SurveyOptions{Cache: file})
//
// tells a tree's digest, sizes and owners, and a fingerprint by which any touch of
// it shows. What is in Cache and has the same inode, size and times is not read
// again.
//
// The digest can be had without this package, too.
//
// Each entry has a content, which is a string of bytes. That of a regular file
// is what is in it; of a symbolic link its target; of a FIFO or socket nothing;
// of a device its major and its minor number, each in 4 bytes. That of a
// directory is the descriptions of all of its entries, sorted by name, byte by
// byte as unsigned numbers, one behind the other with nothing between.
//
// The description of an entry is, one behind the other:
//
//	1 byte    its type: f regular file, d directory, l symbolic link,
//	          p FIFO, s socket, c character device, b block device
//	2 bytes   the lower 12 bits of its mode; 0 for a symbolic link, which has none
//	2 bytes   the length of its name
//	          its name
//	32 bytes  the SHA-256 of its content
//
// The digest is the SHA-256 of the description of the root directory, with an
// empty name. Numbers are unsigned, with the most significant byte first. The
// names of a hard-linked file are so many files.
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
// at best; special files; a file system without user.* attributes. Four things
// differ from a copy. The source must not change meanwhile. Names of one file
// (hard links) part when one of them is written. rename(2) of a directory of the
// source is EXDEV, so that a program has to copy it. And attributes user.overlay.*
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
//   - A source that changes while it is copied is ErrChanged where a size or a time
//     of modification tells. A writer who sets times back, or writes through a
//     shared mapping, gives a copy that is wrong, though never one that leads out
//     of the source.
//   - Nothing is synced: a copy does not outlive a crash of the machine, and is
//     not meant to.
//   - A packaged cgroup and its resource limits are ignored.
//   - [Remove] cannot remove what another user's directory holds, what is
//     immutable, and what is mounted; it removes the rest and names those.
//   - [ScrubConfig] reaches what a file system overwrites in place, as tmpfs does.
//     On others old blocks may remain: keep config.json on a tmpfs.
package bundle
