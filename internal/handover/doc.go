// Package handover replaces the running program by another binary in place, and
// hands over what it has: the process id, the children and the open files stay.
//
// The old image packs a [Parcel]: its state, which is anything that JSON can
// hold, and its open files by name. [Parcel.Seal] writes that into a memory file
// and seals it, so that what was checked is what is taken. [Sealed.Check] has
// the new binary read it first, as a child that touches nothing; [Sealed.Exec]
// becomes it. The new image finds the parcel with [Take].
//
// # What stays over an exec
//
// The process id, the children with their exit statuses, the subreaper attribute,
// the cgroup, and each file whose close-on-exec flag is off. A file is passed as
// it is: its offset, its locks and its O_NONBLOCK belong to the open file. What is
// lost: goroutines, memory, connections that nobody packed.
package handover
