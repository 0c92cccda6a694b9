package supervisor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (s *script) input(verb string, args []string) input {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch verb {
	case "tick":
		return tick{}
	case "start":
		return askStart{s.waiter(arg(0))}
	case "restart":
		return askRestart{s.waiter(arg(0))}
	case "stop":
		return askStop{s.waiter(arg(0))}
	case "leave":
		return askLeave{who: s.waiter(arg(0))}
	case "quit":
		return askLeave{who: s.waiter(arg(0)), abandon: true}
	case "deploy":
		return s.deploy(args)
	case "ping":
		return askPing{s.waiter(arg(0))}
	case "changed":
		return changed{arg(0)}
	case "hurry":
		return hurry{}
	case "withdraw":
		return withdraw{s.waiter(arg(0))}
	}
	return s.answerInput(verb, s.number(arg(0)), args[1:])
}

// deploy is "deploy REVISION [WAITER] [SETTING…]".
func (s *script) deploy(words []string) input {
	in := askDeploy{deployment: Deployment{Revision: words[0], Policy: s.policy}}
	d := &in.deployment
	for _, word := range words[1:] {
		key, value, isSetting := strings.Cut(word, "=")
		switch {
		case key == "switched":
			d.Until = Switched
		case key == "proved":
			d.Until = Proved
		case key == "canary":
			d.Canary = s.number(value)
		case key == "for":
			d.CanaryFor = s.duration(value)
		case key == "why":
			d.Why = value
		case key == "alone":
			d.Policy.Overlap = false
		case isSetting:
			_ = s.set(&d.Policy, word) || s.setTraffic(&d.Policy, word)
		default:
			in.who = s.waiter(word)
		}
	}
	return in
}

// rule is "CLASS,CLASS:ACTION[:DELAY[:uncounted]]", where a class is a code, codes, a signal or a cause: 75, 64-77, sig9, oom.
func (s *script) rule(text string) RestartRule {
	parts := strings.Split(text, ":")
	r := RestartRule{Action: RestartAction(parts[1])}
	for class := range strings.SplitSeq(parts[0], ",") {
		first, last, isRange := strings.Cut(class, "-")
		switch {
		case strings.HasPrefix(class, "sig"):
			r.Signals = append(r.Signals, syscall.Signal(s.number(class[3:])))
		case isRange:
			r.Codes = append(r.Codes, ExitCodes{s.number(first), s.number(last)})
		case class[0] <= '9':
			r.Codes = append(r.Codes, ExitCodes{s.number(class), s.number(class)})
		default:
			r.Causes = append(r.Causes, CauseKind(class))
		}
	}
	for _, word := range parts[2:] {
		if word == "uncounted" {
			r.Uncounted = true
		} else {
			r.Delay = s.duration(word)
		}
	}
	return r
}

func (s *script) setTraffic(p *Policy, word string) bool {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "overlap":
		p.Overlap = true
	case "launches":
		p.Launches = s.number(value)
	case "standby":
		p.Standby.Mode = StandbyMode(value)
	case "check":
		p.Standby.Check = s.duration(value)
	case "max-age":
		p.Standby.MaxAge = s.duration(value)
	case "drain":
		p.Deploy.Drain = s.duration(value)
	case "confirm":
		p.Deploy.Confirm = s.duration(value)
	default:
		return false
	}
	return true
}

// noTraffic only says that there is one: the machine calls nothing.
type noTraffic struct{ Traffic }

func (s *script) answerInput(verb string, n int, words []string) input {
	err := scriptError(strings.Join(words, " "))
	switch verb {
	case "prepared":
		return prepared{n, err}
	case "started":
		return started{n, err}
	case "probed":
		return probed{n, err}
	case "signalled":
		return signalled{n, err}
	case "killed":
		return killed{n, err}
	case "cleaned":
		return cleaned{n, err}
	case "exited":
		return exited{n, s.exit(words)}
	case "frozen":
		return froze{n, true, err}
	case "thawed":
		return froze{n, false, err}
	case "counted":
		return counted{n, s.number(words[0]), scriptError(strings.Join(words[1:], " "))}
	case "steered":
		return steerFailed{n, s.number(words[0]), scriptError(strings.Join(words[1:], " "))}
	}
	s.t.Fatalf("unknown command %q", verb)
	return nil
}

func (s *script) exit(words []string) Exit {
	var e Exit
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "code":
			e.Code = s.number(value)
		case "signal":
			e.Signal = syscall.Signal(s.number(value))
		case "oom":
			e.OOM, e.Signal = true, syscall.SIGKILL
		case "outdated":
			e.Err = fmt.Errorf("%w: an older value", ErrOutdated)
		}
	}
	return e
}

// scriptError makes an error of words; its first word may name one that is tested for.
func scriptError(text string) error {
	if text == "" {
		return nil
	}
	kind, rest, _ := strings.Cut(text, ": ")
	switch kind {
	case "permanent":
		return fmt.Errorf("%w: %s", ErrPermanent, rest)
	case "outdated":
		return fmt.Errorf("%w: %s", ErrOutdated, rest)
	case "running":
		return fmt.Errorf("%w: %s", ErrRunning, rest)
	case "unasked":
		return fmt.Errorf("%w: %s", ErrUnasked, rest)
	case "uncounted":
		return fmt.Errorf("%w: %s", ErrUncounted, rest)
	case "deadline":
		return fmt.Errorf("%s: %w", rest, os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("%s", text)
}

func (s *script) waiter(name string) *waiter {
	if name == "" {
		return nil
	}
	if s.waiters[name] == nil {
		s.waiters[name] = &waiter{}
	}
	return s.waiters[name]
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
