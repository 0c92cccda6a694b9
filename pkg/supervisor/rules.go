package supervisor

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// RestartRule says what follows the ends of one class: those that any of Codes, Signals and Causes names.
type RestartRule struct {
	Codes   []ExitCodes
	Signals []syscall.Signal // that ended the program
	Causes  []CauseKind
	Action  RestartAction // "": ActionRestart

	Delay     time.Duration // a backoff of its own; 0, and Factor and MaxDelay, too: that of the RestartPolicy
	Factor    float64       // below 1: the policy's
	MaxDelay  time.Duration // 0: the policy's, or Delay if that is longer
	Uncounted bool          // no failure: not for MaxFailures, a crash loop, or a revision that is provisional
}

// ExitCodes are those from First to Last. An end with success has the code 0.
type ExitCodes struct{ First, Last int }

// CauseKind names ends that no exit code tells apart.
type CauseKind string

const (
	CauseOOM       CauseKind = "oom"       // Exit.OOM; it is no SIGKILL for Signals then
	CauseUnready   CauseKind = "unready"   // ErrStartTimeout
	CauseUnhealthy CauseKind = "unhealthy" // ErrUnhealthy
)

// RestartAction is what a RestartRule asks for.
type RestartAction string

const (
	ActionRestart RestartAction = "restart"
	ActionHold    RestartAction = "hold" // until Changed, or a request
	ActionStop    RestartAction = "stop" // the gateway has Ended
)

// builtIn are the rules of every policy, behind its own: two codes of sysexits(3) that programs mean.
var builtIn = []RestartRule{
	// EX_TEMPFAIL: what it needs is not there, and may come.
	{Codes: []ExitCodes{{75, 75}}, Action: ActionRestart, Delay: 10 * time.Second, Factor: 2, MaxDelay: 5 * time.Minute, Uncounted: true},
	// EX_CONFIG: it would end in the same way for as long as it is given the same.
	{Codes: []ExitCodes{{78, 78}}, Action: ActionHold},
}

// BuiltInRules are those that hold where no rule of the policy fits, and the mode wants another launch.
func BuiltInRules() []RestartRule { return slices.Clone(builtIn) }

// ruling is what follows an end.
type ruling struct {
	RestartRule
	backoff int // which of them counts its delays: the rule's number, or plain
}

// plain is the backoff of the policy itself.
const plain = -1

// rule is the first that fits an end with this cause.
func (p RestartPolicy) rule(cause error) ruling {
	if i := fitting(p.On, cause); i >= 0 {
		return p.On[i].ruling(i)
	}
	if p.Mode == Never || p.Mode == OnFailure && cause == nil {
		return ruling{RestartRule{Action: ActionStop}, plain}
	}
	if i := fitting(builtIn, cause); i >= 0 {
		return builtIn[i].ruling(len(p.On) + i)
	}
	return ruling{RestartRule{Action: ActionRestart}, plain}
}

func fitting(rules []RestartRule, cause error) int {
	return slices.IndexFunc(rules, func(r RestartRule) bool { return r.fits(cause) })
}

func (r RestartRule) ruling(number int) ruling {
	if !r.paces() {
		number = plain
	}
	return ruling{r, number}
}

// paces says whether the rule has a backoff of its own.
func (r RestartRule) paces() bool { return r.Delay > 0 || r.Factor >= 1 || r.MaxDelay > 0 }

// fits says whether an end with this cause is of the rule's class. What the supervisor itself has found comes before
// the exit that followed from it.
func (r RestartRule) fits(cause error) bool {
	var exit *ExitError
	switch {
	case cause == nil:
		return r.hasCode(0)
	case errors.Is(cause, ErrStartTimeout):
		return slices.Contains(r.Causes, CauseUnready)
	case errors.Is(cause, ErrUnhealthy):
		return slices.Contains(r.Causes, CauseUnhealthy)
	case !errors.As(cause, &exit):
		return false
	case exit.OOM:
		return slices.Contains(r.Causes, CauseOOM)
	case exit.Signal != 0:
		return slices.Contains(r.Signals, exit.Signal)
	}
	return r.hasCode(exit.Code)
}

func (r RestartRule) hasCode(code int) bool {
	return slices.ContainsFunc(r.Codes, func(c ExitCodes) bool { return c.First <= code && code <= c.Last })
}

// pace is the policy with the backoff of a rule.
func (p RestartPolicy) pace(r RestartRule) RestartPolicy {
	if r.Delay > 0 {
		p.Delay, p.MaxDelay = r.Delay, max(p.MaxDelay, r.Delay)
	}
	if r.Factor >= 1 {
		p.Factor = r.Factor
	}
	if r.MaxDelay > 0 {
		p.MaxDelay = r.MaxDelay
	}
	return p
}

func (p RestartPolicy) check() error {
	for i, r := range p.On {
		if !slices.Contains([]RestartAction{"", ActionRestart, ActionHold, ActionStop}, r.Action) {
			return fmt.Errorf("rule %d of its policy asks for the unknown action %q", i, r.Action)
		}
	}
	return nil
}
