// Package systemd is what gatewayd says to systemd and learns from it.
//
// # At the start
//
// ReadEnvironment tells how we were started. It must come before the
// environment is cleared, and NOTIFY_SOCKET must be put back, since a Notifier
// reads it there. Outside of a delegated cgroup, in a shell of su or ssh,
// StartScope replaces the process by one that has such a cgroup; it returns
// only to say in one sentence why that cannot be.
//
// # Readiness
//
// Summarize makes one verdict of the states of all gateways, by these rules:
//
//	Waiting    a gateway is not settled: neither ready, nor at its end, nor has
//	           it used up its first start timeout. Send Status, and Extend
//	           until Summary.Until: the wait is honest.
//	AllReady   all do as they should. READY=1.
//	Degraded   some do. READY=1 all the same: one dead gateway does not take
//	           the others down. The status names it.
//	NoneReady  none does. At the start: exit 1 with Summary.Err. Later it means
//	           nothing; the daemon stays and goes on trying.
//
// A gateway that was stopped on request, or that ended as a success by its own
// restart policy, does as it should.
//
// The status is always one line of at most 1 KiB, without control characters:
// it holds words of gateways, and a newline would begin another variable of
// the protocol.
//
// # The watchdog
//
// KeepAlive sends WATCHDOG=1 only while the daemon's loop answers. It wakes
// twice in each interval, and not at all where no watchdog is set.
package systemd
