package main

import (
	"runtime"
	"sync"
)

// spareThreads is more than the calls that the kernel blocks at a time while a few
// gateways are launched at once.
const spareThreads = 16

// makeSpareThreads has the process own so many threads, which stay. Where Go's runtime
// needs another one and the kernel has none to give (ENOMEM, EAGAIN of clone(2)), it
// ends the process, and all gateways with it: for a shortage in which they would only
// have waited to be launched again.
func makeSpareThreads(n int) {
	var all, made sync.WaitGroup
	all.Add(n)
	for range n {
		made.Go(func() {
			runtime.LockOSThread() // else one thread could be all of them
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait() // without its thread, which waits as well
		})
	}
	made.Wait()
}
