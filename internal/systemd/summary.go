package systemd

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// GatewayState is what Summarize must know of a gateway. Phase is one of the
// supervisor's: stopped, starting, ready, backoff, crash-looping, stopping,
// held, failed, ended.
type GatewayState struct {
	Name, Phase   string
	Settled       bool      // ready once, at its end, or its first start timeout is used up
	Cause         error     // of the last launch that ended; nil: success, or none yet
	ProbeError    error     // the last failed probe of the launch that starts
	Next          time.Time // when the backoff ends
	StartDeadline time.Time // of the launch that starts
	Failures      int       // in a row
	Deploying     bool      // another revision is on its way
}

// Verdict is what the gateways together mean for the unit.
type Verdict int

const (
	Waiting   Verdict = iota // some gateway is not settled yet
	AllReady                 // READY=1: all do as they should
	Degraded                 // READY=1: some do
	NoneReady                // the start has failed: none does
)

// Summary is the outcome of Summarize.
type Summary struct {
	Total, Ready int
	Verdict      Verdict
	Status       string    // one line for STATUS=
	Until        time.Time // Waiting: how long it may take, for Extend; zero: not known
	Err          error     // NoneReady: the cause of each gateway
}

// Summarize says what the states of all gateways mean: to systemd while it
// waits for the start, and to whoever reads `systemctl status` at any time.
//
// A gateway is good when it is ready, when it was stopped on request, and when
// it ended by its own policy as a success. While any is not settled the
// verdict is Waiting; then AllReady if all are good, NoneReady if all have
// failed, else Degraded. One that ended by its own policy with a failure, or is
// held, is neither: to run it again, as systemd would for NoneReady, is what its
// policy does not want. NoneReady counts at the start only: a daemon that was ready
// once stays, whatever becomes of its gateways.
func Summarize(gateways []GatewayState) Summary {
	s := Summary{Total: len(gateways)}
	var waiting, bad, ended, stopped, deploying []string
	var causes []error
	endedBadly := 0
	for _, g := range gateways {
		if g.Deploying {
			deploying = append(deploying, g.Name)
		}
		switch {
		case g.Phase == "ready":
			s.Ready++
		case !g.Settled:
			waiting = append(waiting, g.Name+g.details())
			s.Until = later(s.Until, g.StartDeadline, g.Next)
		case g.Phase == "stopped":
			stopped = append(stopped, g.Name)
		case g.Phase == "ended":
			ended = append(ended, g.words())
			if g.Cause != nil {
				endedBadly++
			}
		case g.Phase == "held":
			bad = append(bad, g.words())
			endedBadly++
		default:
			bad = append(bad, g.words())
			causes = append(causes, fmt.Errorf("%s: %w", g.Name, g.trouble()))
		}
	}
	s.Verdict = verdict(s.Total, len(waiting), len(causes), endedBadly)
	if s.Verdict == NoneReady {
		s.Err = errors.Join(causes...)
	}
	s.Status = s.words(waiting, bad, ended, stopped, deploying)
	return s
}

func verdict(total, waiting, failed, endedBadly int) Verdict {
	switch {
	case waiting > 0:
		return Waiting
	case failed == 0 && endedBadly == 0:
		return AllReady
	case failed == total:
		return NoneReady
	}
	return Degraded
}

// trouble is why g, which is settled, is not ready.
func (g GatewayState) trouble() error {
	switch {
	case g.Phase == "starting" && g.ProbeError != nil:
		return g.ProbeError
	case g.Cause != nil:
		return g.Cause
	case g.ProbeError != nil:
		return g.ProbeError
	}
	return fmt.Errorf("%s", g.Phase)
}

func later(times ...time.Time) (latest time.Time) {
	for _, t := range times {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// words is the line for STATUS=: what is the matter first, since it may be cut.
func (s Summary) words(waiting, bad, ended, stopped, deploying []string) string {
	if s.Total == 0 {
		return "no gateway is configured"
	}
	if s.Total == len(ended) {
		return "every gateway has ended by its own policy: " + strings.Join(ended, ", ")
	}
	var parts []string
	add := func(label string, names []string) {
		if len(names) > 0 {
			parts = append(parts, label+strings.Join(names, ", "))
		}
	}
	count := fmt.Sprintf("%d of %d ready", s.Ready, s.Total)
	if len(waiting) == 0 {
		parts = append(parts, count)
	}
	add("waiting for ", waiting)
	add("", bad)
	add("", ended)
	add("deploying ", deploying)
	add("stopped on request: ", stopped)
	if len(waiting) > 0 {
		parts = append(parts, count)
	}
	return oneLine(strings.Join(parts, "; "), maxStatus)
}

// maxCause bounds the words on one gateway, in bytes, so that the others fit in.
const maxCause = 200

// words tells of one gateway what a person asks first: what, why, until when.
func (g GatewayState) words() string {
	label := " " + g.Phase
	switch g.Phase {
	case "starting":
		label = " still starting"
	case "backoff":
		label = " restarting"
	}
	return g.Name + label + g.details()
}

// details is the same for a gateway that is waited for.
func (g GatewayState) details() string {
	why := g.why()
	switch {
	case g.Phase == "crash-looping":
		return brackets(failures(g.Failures), why, clock("next launch at ", g.Next))
	case g.Phase == "backoff":
		return brackets(why, clock("next launch at ", g.Next))
	case g.Phase == "starting":
		return brackets(why, clock("until ", g.StartDeadline))
	case g.Phase == "ended" && why == "":
		return brackets("success")
	}
	return brackets(why)
}

// why is the cause, in words; "" if there is none.
func (g GatewayState) why() string {
	switch {
	case g.ProbeError != nil && g.Phase == "starting":
		return oneLine("probe: "+g.ProbeError.Error(), maxCause)
	case g.Cause != nil:
		return oneLine(g.Cause.Error(), maxCause)
	}
	return ""
}

func failures(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d failures", n)
}

func clock(label string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return label + t.Format(time.TimeOnly)
}

// brackets joins what there is.
func brackets(parts ...string) string {
	var have []string
	for _, p := range parts {
		if p != "" {
			have = append(have, p)
		}
	}
	if len(have) == 0 {
		return ""
	}
	return " (" + strings.Join(have, "; ") + ")"
}
