package seccomp

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// call is what becomes of one system call: of the first of its rules that
// holds, or else always.
type call struct {
	rules   []rule
	always  uint32
	settled bool // always is from a rule: no other counts
}

// rule holds when all its conditions do.
type rule struct {
	conditions []specs.LinuxSeccompArg
	verdict    uint32
}

// maxErrno is the kernel's MAX_ERRNO. It takes more for this, and from 0x10000 on
// the number would reach into the action.
const maxErrno = 4095

// actions are those of runtime-spec, as the values of seccomp(2).
var actions = map[specs.LinuxSeccompAction]uint32{
	specs.ActKill:        unix.SECCOMP_RET_KILL_THREAD,
	specs.ActKillThread:  unix.SECCOMP_RET_KILL_THREAD,
	specs.ActKillProcess: unix.SECCOMP_RET_KILL_PROCESS,
	specs.ActTrap:        unix.SECCOMP_RET_TRAP,
	specs.ActErrno:       unix.SECCOMP_RET_ERRNO,
	specs.ActNotify:      unix.SECCOMP_RET_USER_NOTIF,
	specs.ActTrace:       unix.SECCOMP_RET_TRACE,
	specs.ActLog:         unix.SECCOMP_RET_LOG,
	specs.ActAllow:       unix.SECCOMP_RET_ALLOW,
}

// verdict is what the filter returns for an action.
func verdict(action specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	value, ok := actions[action]
	if !ok {
		return 0, fmt.Errorf("unknown action %q", action)
	}
	if action != specs.ActErrno && action != specs.ActTrace {
		return value, nil
	}
	if errno == nil {
		return value | uint32(unix.EPERM), nil
	}
	if *errno > maxErrno {
		return 0, fmt.Errorf("error number %d is more than %d", *errno, maxErrno)
	}
	return value | uint32(*errno), nil
}

// policy sorts the rules of a profile by the number of the system call.
func policy(entries []specs.LinuxSyscall, otherwise uint32) ([]call, error) {
	if len(names) == 0 {
		return nil, errors.New("the system calls of this architecture are not known")
	}
	calls := make([]call, len(names))
	for i := range calls {
		calls[i].always = otherwise
	}
	numbers := numbers()
	for i, entry := range entries {
		rules, err := rulesOf(entry)
		if err != nil {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
		if rules[0].verdict == otherwise {
			continue
		}
		for _, name := range entry.Names {
			if number, ok := numbers[name]; ok {
				calls[number].add(rules)
			}
		}
	}
	return calls, nil
}

func numbers() map[string]int {
	numbers := make(map[string]int, len(names))
	for number, name := range names {
		if name != "" {
			numbers[name] = number
		}
	}
	return numbers
}

func (c *call) add(rules []rule) {
	if c.settled {
		return
	}
	if len(rules[0].conditions) > 0 {
		c.rules = append(c.rules, rules...)
		return
	}
	*c = call{always: rules[0].verdict, settled: true}
}

// rulesOf returns one rule for an entry of a profile, or one for each condition
// if several are on the same argument.
func rulesOf(entry specs.LinuxSyscall) ([]rule, error) {
	value, err := verdict(entry.Action, entry.ErrnoRet)
	if err != nil {
		return nil, err
	}
	var used [6]bool
	repeated := false
	for _, c := range entry.Args {
		if c.Index >= uint(len(used)) {
			return nil, fmt.Errorf("argument %d: a system call has %d", c.Index, len(used))
		}
		if !slices.Contains(operators, c.Op) {
			return nil, fmt.Errorf("unknown operator %q", c.Op)
		}
		repeated = repeated || used[c.Index]
		used[c.Index] = true
	}
	if !repeated {
		return []rule{{entry.Args, value}}, nil
	}
	var rules []rule
	for c := range slices.Chunk(entry.Args, 1) {
		rules = append(rules, rule{c, value})
	}
	return rules, nil
}
