// Package supervisor keeps gateways alive: it launches them, asks whether they work, launches them again when they
// end, and lets them go in order. It decides; what a launch is made of it does not know. A Launcher carries launches
// out, a Prober asks whether one works, and both may be anything. The package imports nothing but the standard
// library.
//
// # Words
//
// A gateway is one configured workload. A launch is one attempt to run it, numbered from 1 (or NextLaunch); a number
// is never used twice. A cause is why a launch ended: an error, or nil for a success and for an end that was asked
// for. A deadline is the moment at which a state ends by itself. A standby is a launch that waits to take over. A
// revision is what launches are made of, an opaque string; a deploy puts another one in its place.
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
//	preparing → created → starting → ready → draining → stopping → killing → cleaning → forgotten
//	                          ↓        ↑ ↓
//	                       freezing → frozen → thawing
//
// Preparing makes a container that is blocked before its program starts; from there StartTimeout runs until the first
// good probe. Created lasts for a standby of that kind, else only while another launch has to be gone first. Starting
// asks Start, then probes: at once, after 1 ms, 2 ms, 4 ms and so on. Ready lasts. Draining gets no new connections.
// Stopping has sent the signal and waits for Stop.Timeout; killing asks Kill again when no exit follows within
// CallTimeout, three times, and then leaves it to Clean. A frozen launch is killed without a signal, which it could
// not take.
// Whatever happens on the way, cleaning follows: a launch is forgotten only when Clean has succeeded. A Clean that
// fails is reported (CleanIncomplete, Status.Leftovers) and asked again after 1 s, 2 s, up to a minute, or up to 5 s
// while a process may be left, for as long as it takes.
//
// # Roles
//
// One launch is current: it serves, or is to serve. One may be the standby, one the candidate of a deploy. Only the
// end of the current one decides what follows; a standby or a candidate that ends is an event, and every other launch
// is on its way out. All together are no more than Policy.Launches until they have ended: when another one is needed,
// the oldest that drains is killed for its place.
// Two launches run side by side only if the policies of both have Overlap.
//
// # Restarts
//
// As soon as the exit of a launch is seen, Clean of it and Prepare of the next go side by side. Without Overlap a
// launch of which a process may be left (Clean or a failed Prepare answered ErrRunning, or Kill never led to an exit)
// holds the next one back.
// After ResetAfter of readiness the next launch follows at once and earlier failures are forgotten. Else the delay
// is Delay*Factor^k, up to MaxDelay, give or take Jitter. A backoff after three such failures within Window is shown
// as CrashLooping. MaxFailures ends within Window, healthy periods or not, make the gateway Failed. A program that
// exits with success under Always comes back in the same way, with the same delays, so that it cannot make a busy loop.
// An end that was asked for (Stop, Restart, Deploy) is no failure.
//
// # Rules for some ends
//
// RestartPolicy.On has rules for ends of a class: exit codes, signals, or what the supervisor has found. The first that
// fits counts, before Mode. It restarts, with a backoff of its own if it has one, which is kept also after a long
// readiness; or stops the gateway, which has Ended; or holds it. An end that a rule leaves uncounted is no failure: not
// for MaxFailures, for a crash loop or for a revision that is provisional. Where no rule fits and Mode wants another
// launch there are two more: a program that exits with 75 (EX_TEMPFAIL) is launched again after 10 s, 20 s, up to five
// minutes, uncounted; one that exits with 78 (EX_CONFIG) is held.
// A gateway that is Held waits, without a standby, until Changed tells that something its launches are made from is
// another one, and is launched at once then; a request ends the hold, too. When that has changed while the launch ran
// nothing is held: the next one follows at once. A revision that is provisional is rolled back instead of held. A deploy
// takes the place of what is held for good: it is not provisional, and nothing comes back. Gateway.Held begins with a
// hold, for a program that is started again.
//
// # Standbys
//
// Policy.Standby keeps one launch ready to take over. A created one is blocked before its program starts, and works
// for any gateway. A warm one is started and probed beside the one that serves, then frozen; it is thawed, probed and
// frozen again after Check, and either kind is renewed after MaxAge.
// Where the policy would launch again at once, the standby is promoted in the same step instead: new connections are
// switched to it, and a created one is started, a warm one thawed, which makes it ready without another probe. That
// counts as the restart it is, and a delay is kept: a standby does not make a crash loop fast. With Overlap it takes
// over from an unhealthy launch before that one is stopped.
// A standby is prepared while the gateway is ready, beside no restart and no deploy; one that is still prepared when
// it is needed goes on as the restart. One that is lost (it died, its check failed, it could not be prepared) is made
// again after 1 s, 2 s, up to a minute, after a permanent error or an end that would be held in a minute; the launch that serves is not touched.
// A restart that somebody asks for ends the standby as well: nothing old is left then.
//
// # Traffic
//
// A gateway whose listeners are ours has a Traffic. Switch(n, 100) comes when launch n is to serve: before Start of a
// launch with nothing beside it, before the thaw of a standby, and when a candidate has become ready. A Switch that
// fails is told (SteeringFailed, Status.Steering) and asked again after 1 s, 2 s, up to a minute. InFlight is asked
// every 100 ms while a launch drains and stops.
//
// # Deploys
//
// When a launch serves and both policies have Overlap, Deploy brings the new revision up beside it: the standby is
// dropped, the candidate is prepared, started and probed. Then it gets Canary percent of new connections for
// CanaryFor, if that is wanted, and at last all. The old launch drains: as soon as nothing of it is in flight, or
// nobody can count it, or after Deploy.Drain of its own policy, it is asked to end. What it still has when it has ended
// is cut, and counted in its LaunchEnded and in Status.Drained. A candidate that fails before it serves has changed
// nothing. Should the current launch end meanwhile, a candidate in its canary takes over at once; else the old
// revision is launched again, as ever, beside the candidate.
// Otherwise (no Overlap, or nothing serves) the old launch is stopped first, and the new one follows; if that one ends
// or times out before it was ever ready, the revision before is back at once.
// A revision that serves is provisional for Deploy.Confirm: three ends that nobody asked for, a permanent failure or
// MaxFailures roll it back to the revision and policy before, with the cause in RolledBack and Status. Another deploy
// in this time confirms it; a stop or a restart changes nothing about it.
// A deploy, restart, stop or removal takes the place of a deploy under way, and ends what that has begun.
//
// # Stopping
//
// Stop works at every moment, and ends every launch there is: it waits for no drain. While Prepare is at work its
// context is cancelled; should it succeed nevertheless, its container is killed and cleaned. While Start is at work
// the launch is killed. A ready program gets the signal and its time. A second Stop, or Hurry, kills at once.
//
// # Another image of the program
//
// A program that executes a newer version of itself keeps its children, and can have them go on: Suspend waits until
// no call is out and each launch is where it may stay, holds all loops and returns a State of each gateway, which is
// JSON; Gateway.Resume begins where it was, with a Launcher that is an Adopter. Numbers, history, phases and causes go
// on, and what was left of each deadline. Who waited for a request is not in it. Continue lets the held ones go on, if
// there is no other image after all.
//
// # What hangs
//
// Every call to a Launcher or Prober, and InFlight, runs in a goroutine of its own with a deadline, and its answer comes back with
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
