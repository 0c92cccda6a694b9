// Package staging decides how the root of a launch is made from its packaged
// tree, makes it, and remembers what it knows of each tree. It joins the engine
// in pkg/bundle with what an operator asked for; it starts no container.
//
// # Copy or overlay
//
// An overlay costs the same for a tree of any size: nothing is copied, and what
// is removed afterwards is what the container wrote. It takes a runtime that can
// mount one as a container's root, a file system with user.* attributes for what
// the container writes, and a tree that belongs to the container: entries of
// another owner would keep their mode and show as nobody's, so that container
// root could not write there. Stage "auto" takes an overlay where all of that
// holds and a copy elsewhere; [Staged.Why] says what kept it from the other.
//
// # Digest
//
// A tree is examined before a launch when a digest is pinned, when all of it is
// to be read anew (verify = "always"), and when its owners are not known yet.
// Otherwise that is done beside the copy, or, for an overlay, after the launch
// has begun: it then costs the launch nothing. What was read is kept in a file, so
// that the next gatewayd does not read it again.
//
// # A tree that changes
//
// The kernel's word on a lower directory that changes under its overlay is
// "undefined behaviour". [Staged.Watch] looks for it once a minute, or as seldom
// as it takes for that to cost a thousandth of a processor.
package staging
