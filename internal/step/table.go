package step

// A Step is a row of the table.
type Step struct {
	Name    string
	Changes string // outside of the process
}

// All is each step that there is, about in the order in which a gateway comes and
// goes.
var All = []Step{
	// The daemon comes up.
	{"directory-made", "a directory of gatewayd's is there"},
	{"lock-opened", "the file of the lock is there"},
	{"lock-written", "the lock is ours and names our pid"},
	{"directory-closed", "a directory of gatewayd's has its owner and mode"},
	{"cgroup-made", "the unit's sub-cgroup supervisor is there"},
	{"cgroup-entered", "gatewayd has moved into it"},
	{"cgroup-handed-down", "the memory controller reaches the leaves"},
	{"runtime-root-made", "the runtime's own directory is there"},
	{"stale-control-removed", "the control socket of a dead gatewayd is gone"},
	{"control-made", "commands can connect"},
	{"digests-pruned", "what was known of a tree that nobody stages any more is gone"},
	{"damaged-history-set-aside", "a history that cannot be read has another name"},
	{"failures-forgotten", "no failed start is counted"},
	{"failure-counted", "one more failed start is counted"},
	{"image-replaced", "another binary goes on in the same process"},

	// systemd and journald are told.
	{"manager-told", "systemd has a message, such as READY=1"},
	{"journal-told", "journald has a record"},
	{"socket-stored", "systemd keeps a listener beyond our end"},
	{"socket-unstored", "systemd keeps it no longer"},

	// Ports are opened, steered and closed.
	{"address-bound", "a socket has an address"},
	{"path-cleared", "a unix socket that nobody listens on is gone"},
	{"path-bound", "a unix socket has its path"},
	{"socket-listens", "clients can connect to a slot"},
	{"connections-steered", "the kernel knows which slot gets new connections"},
	{"socket-shut", "clients are refused"},
	{"kept-socket-shut", "clients of a socket that no gateway listens on are refused"},
	{"path-removed", "the path of a unix socket is free"},

	// A launch is staged.
	{"launch-dir-made", "launches/<id> is there, or the directory of a sample"},
	{"socket-dir-made", "rootfs/<id>.listenN is there"},
	{"overlay-part-made", "a directory of an overlay is there"},
	{"overlay-part-given", "it belongs to container root"},
	{"copy-begun", "rootfs/.staging-<id>… is there"},
	{"directory-copied", "a directory of a copy is there"},
	{"file-made", "a file of a copy is there, empty"},
	{"file-linked", "a further name of a file is there"},
	{"symlink-copied", "a symbolic link of a copy is there"},
	{"entry-settled", "an entry has its owner, mode and times"},
	{"tree-published", "the root has its name, rootfs/<id>"},
	{"digests-aside", "what is known of a source is written, under another name"},
	{"digests-kept", "it has replaced what was known"},
	{"digests-forgotten", "what is known of a source that is refused is gone"},
	{"upper-tried", "a directory that tries user attributes is there"},
	{"overlay-sample-made", "the tree of a throw-away launch is there"},
	{"overlay-answer-aside", "that overlays work is written, under another name"},
	{"overlay-answer-kept", "the next gatewayd begins with that"},
	{"overlay-answer-forgotten", "the next gatewayd tries again"},
	{"data-dir-made", "the persistent directory of a gateway is there"},
	{"notify-dir-made", "launches/<id>/notify is there"},
	{"notify-made", "the gateway can send READY=1"},
	{"leaf-made", "the cgroup of a launch is there"},

	// A launch is created and started.
	{"secret-dir-made", "secrets/<id> is there"},
	{"secret-opened", "the file of a secret is there, empty"},
	{"secret-written", "it holds the value"},
	{"secret-given", "it belongs to container root"},
	{"secret-unlinked", "no path leads to it any more"},
	{"secret-rewritten", "the file that a program has of it holds another value"},
	{"config-aside", "config.json is written, under another name"},
	{"config-written", "config.json is there, with the environment"},
	{"helper-started", "a process holds a user namespace"},
	{"ids-mapped", "newuidmap or newgidmap has written a mapping"},
	{"runtime-log-removed", "a call of the runtime can begin a new log"},
	{"pid-file-removed", "a call of the runtime can begin a new pid file"},
	{"within-written", "the script is there that runs the runtime in a namespace"},
	{"cgroup-hastened", "gatewayd has moved to where it is, while the runtime creates"},
	{"container-created", "the runtime has made the container, which nobody watches yet"},
	{"record-written", "record.json names its process"},
	{"config-zeroed", "config.json, or its other name, holds zeros"},
	{"config-scrubbed", "it holds an empty object"},
	{"container-started", "the program runs"},
	{"bare-started", "the program of a bare gateway runs"},
	{"leaf-frozen", "a standby is stopped where it is, or goes on"},

	// What an operator wants, and what became of it.
	{"stop-noted", "an operator's stop holds over a restart"},
	{"stop-forgotten", "it does not any more"},
	{"hold-aside", "what a held gateway waits for is written, under another name"},
	{"hold-kept", "it has replaced the one before"},
	{"hold-sealed", "a key for what it must not tell lies in the runtime directory"},
	{"hold-forgotten", "one of these files is gone"},
	{"history-aside", "a history is written, under another name"},
	{"history-kept", "it has replaced the one before"},
	{"history-removed", "that of a gateway which a reload has removed is gone"},

	// A launch ends and is cleaned, or swept.
	{"signal-sent", "a process has a signal"},
	{"leaf-killed", "all of a leaf are being killed"},
	{"bare-group-killed", "what a bare program forked is being killed"},
	{"container-deleted", "the runtime was asked to forget the container"},
	{"runtime-state-removed", "runtime/<id> is gone"},
	{"stray-removed", "a cgroup that a runtime may make by itself is gone"},
	{"process-reaped", "the pid of a program is free"},
	{"orphan-ended", "a process that became our child is gone"},
	{"leaf-opened", "a cgroup that its container closed can be listed"},
	{"leaf-removed", "a cgroup of a leaf is gone"},
	{"tree-set-aside", "a tree has the name .removing-…"},
	{"directory-opened", "a directory that kept its owner out can be emptied"},
	{"directory-moved-up", "a directory that lay deep lies in the top one"},
	{"entry-removed", "a file or an empty directory is gone"},
	{"notify-removed", "the gateway's READY=1 goes nowhere"},

	// The daemon ends.
	{"control-removed", "commands cannot connect any more"},
	{"directory-left", "a directory of gatewayd's is gone, if it was empty"},
	{"lock-removed", "the lock is gone, and then its directory"},
}
