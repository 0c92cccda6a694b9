// Package supervisor keeps gateways alive: it launches them, asks whether they work, launches them again when they
// end, and lets them go in order. It decides; what a launch is made of it does not know. A Launcher carries launches
// out, a Prober asks whether one works, and both may be anything. The package imports nothing but the standard
// library.
//
// # Words
//
// A gateway is one configured workload. A launch is one attempt to run it, numbered from 1 (or NextLaunch); a number
// is never used twice. A cause is why a launch ended: an error, or nil for a success and for an end that was asked
// for. A deadline is the moment at which a state ends by itself.
//
// # Use
//
//	s := supervisor.New(func(e supervisor.Event) { log.Print(e.Gateway, " ", e.Kind, " ", e.Cause) })
//	err := s.Add(supervisor.Gateway{Name: "web", Launcher: launcher, Prober: prober})
//	…
//	err = s.Restart(ctx, "web") // returns when the new launch is ready
//	…
//	err = s.Shutdown(ctx) // returns when everything is stopped and cleaned
//
// # The life of a launch
//
//	preparing → created → starting → ready → stopping → killing → cleaning → forgotten
//
// Preparing makes a container that is blocked before its program starts; from there StartTimeout runs until the first
// good probe. Created waits only while a process of an earlier launch may be left. Starting asks Start, then probes:
// at once, after 1 ms, 2 ms, 4 ms and so on. Ready lasts. Stopping has sent the signal and waits for Stop.Timeout;
// killing asks Kill again when no exit follows within CallTimeout, three times, and then leaves it to Clean.
// Whatever happens on the way, cleaning follows: a launch is forgotten only when Clean has succeeded. A Clean that
// fails is reported (CleanIncomplete, Status.Leftovers) and asked again after 1 s, 2 s, up to a minute, for as long
// as it takes.
//
// # Restarts
//
// As soon as the exit of a launch is seen, Clean of it and Prepare of the next go side by side. Only a launch of
// which a process may be left (Clean or a failed Prepare answered ErrRunning, or Kill never led to an exit) holds the
// next one back.
// After ResetAfter of readiness the next launch follows at once and earlier failures are forgotten. Else the delay
// is Delay*Factor^k, up to MaxDelay, give or take Jitter. A backoff after three such failures within Window is shown
// as CrashLooping. MaxFailures ends within Window, healthy periods or not, make the gateway Failed. A program that
// exits with success under Always comes back in the same way, with the same delays, so that it cannot make a busy loop.
// An end that was asked for (Stop, Restart, Reconfigure) is no failure.
//
// # Stopping
//
// Stop works at every moment. While Prepare is at work its context is cancelled; should it succeed nevertheless, its
// container is killed and cleaned. While Start is at work the launch is killed. A ready program gets the signal
// and its time. A second Stop, or Hurry, kills at once.
//
// # What hangs
//
// Every call to a Launcher or Prober runs in a goroutine of its own with a deadline, and its answer comes back with
// the number of its launch; an answer to a launch that has gone on is dropped. So nothing a call does can delay the
// loop of its gateway, and nothing a gateway does can delay another. A call that ignores its context keeps its own
// goroutine until it returns; nothing else outlives Shutdown.
//
// # The inside
//
// machine is the whole policy, pure: step(now, input) returns actions. loop turns it with one goroutine and one
// timer, set to the machine's next deadline. Supervisor joins loops under names. State and deadline of a launch, and
// phase and deadline of a gateway, change only in their function enter. Of all launches that are there one is current,
// one may be the standby, one the candidate of a deploy; any other is on its way out, and nothing follows from its end.
package supervisor
