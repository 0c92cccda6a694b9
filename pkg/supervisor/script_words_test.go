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
		return askDeploy{s.waiter(arg(1)), Deployment{Revision: arg(0), Policy: s.policy}}
	case "ping":
		return askPing{s.waiter(arg(0))}
	case "hurry":
		return hurry{}
	case "withdraw":
		return withdraw{s.waiter(arg(0))}
	}
	return s.answerInput(verb, s.number(arg(0)), args[1:])
}

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
	case "running":
		return fmt.Errorf("%w: %s", ErrRunning, rest)
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
