// Package runtime drives an OCI runtime, youki, crun or runc, by means of
// containerd's go-runc, and owns the processes and cgroups of what it makes.
//
// It trusts a runtime with nothing: one that hangs, lies, dies or leaves half
// of its work is survived, and named in the error with its own words. The
// package writes no log and has no state of its own but what its types hold.
//
// # The sequence
//
//	err := runtime.BecomeSubreaper()                          // once, before all else
//	cgroup, err := runtime.Delegated()                        // or a *NoCgroupError: do without
//	err = cgroup.Enter("supervisor"); cgroup.HandDown()
//	binary, err := runtime.Find(ctx, "auto", places)
//	r, err := runtime.Open(binary, runtime.Options{Root: root})
//
//	leaf, err := cgroup.Leaf(id)                              // leaf.Path() goes into linux.cgroupsPath
//	c, err := r.Create(ctx, id, runtime.CreateOptions{...})   // the container's init waits
//	err = c.Start(ctx)                                        // it becomes the program
//	err = c.Process().Stop(syscall.SIGTERM)
//	<-c.Process().Exited()
//
//	err = leaf.Kill(ctx)                                      // what it forked, too
//	events, err := leaf.Memory()                              // before Delete, which removes the leaf
//	err = r.Delete(ctx, id)
//	err = c.Process().Reap()                                  // after Delete: see there
//	err = leaf.Remove(ctx)
//
// Without a leaf, SIGKILL to the init takes its place: the end of PID 1 ends
// all processes of a pid namespace, and every bundle must have one of its own.
//
// # Calls
//
// A call of the runtime ends at its context's end or after Options.CallTimeout,
// whichever comes first. It is then killed with all that it has forked, and that
// is reaped: see the type brood in the source for how descendants are told from
// strangers. The same is done after a create that failed or whose pid file is
// not to be believed: no pid is signalled or reaped that is not our own child,
// born during the call and (with a leaf) in the leaf. A process in
// uninterruptible sleep survives SIGKILL; then the error is ErrRunning, and
// nothing else may be started in its place.
//
// Calls are in a process group of their own, so that Ctrl-C does not reach
// them, and die with this process (PR_SET_PDEATHSIG). A container's init that
// waits for its start does not: a later daemon finds it by its leaf
// (Cgroup.Leaves), by an Identity on record, or by ProcessesNaming.
//
// The runtime gets the environment of this process, as go-runc has it: clear it
// first, and set no more than EnvironmentFor returns.
//
// # Processes
//
// A Process is waited for by its pidfd in Go's poller and is not reaped until
// Reap says so; its zombie keeps the pid from being given to another process.
// Nobody may call wait4(-1) or ignore SIGCHLD in a program that uses this
// package. What a subreaper inherits and nobody owns is for ReapOrphans.
//
// # Another image of this process
//
// After execve(2) the children are still ours. Binary.File and Regain take the copy
// of the runtime program along, Adopt and LeafOf what was made of a container.
//
// # Cgroups
//
// Only cgroup v2, and only one that was delegated: see Delegated. On a machine
// with cgroup v1 the runtimes make cgroups of their own, which they, or Delete,
// remove.
//
// Linux 5.14 or later; youki 0.7.0 or later.
package runtime
