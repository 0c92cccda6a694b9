// Command staging measures how pkg/bundle stages and removes trees, beside the
// programs that people would use for it: cp, rsync, tar, rm, sha256sum. It prints
// a Markdown table, or with -json all that it measured.
//
//	make bench-staging                                # in the throw-away test host
//	staging -dir DIR -tree ROOTFS.tar [-run REGEXP]   # in a directory of one's own
//
// # What is measured
//
// Each sample is a process from its start to its end, ours as well: the program
// re-executes itself with a sub-command that makes one call of pkg/bundle. So the
// start of the Go runtime counts, and its memory. Only the overlay's figures are
// those of the call itself, since no other program is beside it and gatewayd
// makes that call in a process that runs already; the whole process is said, too.
//
// Samples of the contenders alternate, on the same file system and on the same
// tree, so that a slow moment of the machine hits all of them. What a sample
// needs is made anew before it and removed after it, unmeasured, and the file
// system is synced in between, so that nobody writes back what another one left:
// a removal always gets a fresh copy made by cp -a. The first, unmeasured run of
// each contender is checked: a copy has all entries, a removal leaves none.
//
// Warm: the tree has been read, its inodes are in memory. Cold: the kernel's
// caches were dropped, which only root may do; the programs themselves are warm
// again. Run by root, -user says who runs all that is measured.
//
// Memory is ru_maxrss of getrusage(2), of a pipe the larger. A process inherits
// that figure from the one that made it, so that a small one seems to have what
// this program has: then nothing is said, or of ours what it saw itself.
//
// No figure makes the program fail: a goal is said to hold or to be missed.
package main
