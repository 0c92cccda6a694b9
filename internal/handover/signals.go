package handover

import (
	"os"
	"os/signal"
	"syscall"
)

// Signals have no handler while one image follows the other, and would end the
// process by default: they are ignored then, which exec(2) keeps. Blocking them
// would not do: Go unblocks what ends a program before it has installed its
// handlers (minitSignalMask, initsig in package runtime), and dies of what waits.
//
// What is lost so must not matter. A SIGHUP does not, since the new image reads
// everything anew. SIGTERM is the exception to all this: Go takes it up as soon
// as it runs, and until the new image has asked for it, it ends the process, as
// at every start of a program.
var Signals = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM}

// ignore returns when Signals are ignored and each one that was delivered to this
// process before is in the channel that waits for it: Stop, of whatever channel,
// waits for what is on its way (os/signal).
func ignore() {
	settle := make(chan os.Signal, 1)
	signal.Notify(settle, syscall.SIGURG) // which every Go program gets, and takes no notice of
	signal.Ignore(Signals...)
	signal.Stop(settle)
}
