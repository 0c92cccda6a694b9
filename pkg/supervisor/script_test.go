package supervisor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "accept what the machine does now as the scripts' expectation")

// TestScripts runs testdata/*.txt. A script is blocks separated by empty lines: comments and commands, "----", and
// what the machine answers. A command may begin with the time that goes by before it:
//
//	# The program dies while it is ready.
//	+1m exited 1 code=3
//	----
//	clean 1 by +1m10s
//	…
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, waiters: map[string]*waiter{}}
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(string(want)), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		blocks = append(blocks, s.block(strings.TrimSpace(commands)))
	}
	got := strings.Join(blocks, "\n\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got), -update accepts:\n%s", file, diff)
	}
}

var scriptBegin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type script struct {
	t       *testing.T
	now     time.Time
	machine *machine
	policy  Policy
	waiters map[string]*waiter
}

func (s *script) block(commands string) string {
	out := []string{commands}
	ran := false
	for line := range strings.SplitSeq(commands, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !ran {
			out = append(out, "----")
			ran = true
		}
		out = append(out, s.command(strings.Fields(line))...)
	}
	if s.machine != nil && ran {
		out = append(out, s.state())
	}
	return strings.Join(out, "\n")
}

func (s *script) command(words []string) []string {
	if words[0] == "gateway" {
		s.create(words[1:])
		return nil
	}
	if after, ok := strings.CutPrefix(words[0], "+"); ok {
		s.now = s.now.Add(s.duration(after))
		if words = words[1:]; len(words) == 0 {
			words = []string{"tick"}
		}
	}
	var out []string
	for _, a := range s.machine.step(s.now, s.input(words[0], words[1:])) {
		out = append(out, s.action(a))
	}
	return out
}

func (s *script) create(words []string) {
	s.now, s.policy = scriptBegin, Policy{}
	g := Gateway{Name: "web", Revision: "a"}
	for _, word := range words {
		switch {
		case strings.HasPrefix(word, "trial="):
			previous, until, _ := strings.Cut(strings.TrimPrefix(word, "trial="), ",")
			g.Trial = &Trial{Previous: previous, Until: s.now.Add(s.duration(until))}
		case word == "traffic":
			g.Traffic = &noTraffic{}
		case word == "stopped":
			g.Stopped = true
		case word == "held":
			g.Held = &Hold{Cause: &ExitError{Code: 78}, Since: s.now.Add(-time.Hour)}
		case !s.set(&s.policy, word) && !s.setTraffic(&s.policy, word):
			s.t.Fatalf("unknown setting %q", word)
		}
	}
	g.Policy = s.policy
	s.machine = newMachine(s.now, g, func() float64 { return 0.5 })
}

func (s *script) set(p *Policy, word string) bool {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "probe":
		p.Probe.Enabled = true
	case "once":
		p.Probe.Once = true
	case "unhealthy-after":
		p.Probe.UnhealthyAfter = s.number(value)
	case "mode":
		p.Restart.Mode = RestartMode(value)
	case "max-failures":
		p.Restart.MaxFailures = s.number(value)
	case "window":
		p.Restart.Window = s.duration(value)
	case "start-timeout":
		p.StartTimeout = s.duration(value)
	case "stop-timeout":
		p.Stop.Timeout = s.duration(value)
	case "on":
		p.Restart.On = append(p.Restart.On, s.rule(value))
	default:
		return false
	}
	return true
}

func (s *script) action(a action) string {
	switch a := a.(type) {
	case prepare:
		return fmt.Sprintf("prepare %d of %s by %s", a.n, a.revision, s.at(a.by))
	case start:
		return fmt.Sprintf("start %d by %s", a.n, s.at(a.by))
	case probe:
		return fmt.Sprintf("probe %d by %s", a.n, s.at(a.by))
	case signal:
		return fmt.Sprintf("signal %d %d by %s", a.n, a.signal, s.at(a.by))
	case kill:
		return fmt.Sprintf("kill %d by %s", a.n, s.at(a.by))
	case clean:
		return fmt.Sprintf("clean %d by %s", a.n, s.at(a.by))
	case freeze:
		if !a.frozen {
			return fmt.Sprintf("thaw %d by %s", a.n, s.at(a.by))
		}
		return fmt.Sprintf("freeze %d by %s", a.n, s.at(a.by))
	case count:
		return fmt.Sprintf("count %d by %s", a.n, s.at(a.by))
	case steer:
		return fmt.Sprintf("steer %d %d%%", a.n, a.share)
	case cancel:
		return fmt.Sprintf("cancel %d", a.n)
	case forget:
		return fmt.Sprintf("forget %d", a.n)
	case answer:
		return fmt.Sprintf("answer %s: %v", s.nameOf(a.who), a.err)
	case emit:
		return s.event(a.event)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", a), "supervisor.")
}

func (s *script) nameOf(who *waiter) string {
	for name, w := range s.waiters {
		if w == who {
			return name
		}
	}
	return "nobody"
}

func (s *script) event(e Event) string {
	text := fmt.Sprintf("event %s %d", e.Kind, e.Launch)
	if e.Revision != "" {
		text += " of " + e.Revision
	}
	if e.Why != "" {
		text += " why " + e.Why
	}
	if e.Count != 0 {
		text += fmt.Sprint(" count ", e.Count)
	}
	if e.After != 0 {
		text += " after " + e.After.String()
	}
	if !e.Next.IsZero() {
		text += " next " + s.at(e.Next)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// state is the phase and every launch with its deadlines.
func (s *script) state() string {
	m := s.machine
	text := "= " + string(m.phase)
	if !m.deadline.IsZero() {
		text += " until " + s.at(m.deadline)
	}
	if !m.settled {
		text += ", not settled"
	}
	if d := m.doing; d != nil {
		text += ", deploys " + d.Revision
		if !d.deadline.IsZero() {
			text += " " + string(d.stage) + " until " + s.at(d.deadline)
		}
	}
	if at := m.confirmAt(); !at.IsZero() {
		text += ", provisional until " + s.at(at)
	}
	if !m.standing.at.IsZero() {
		text += ", standby at " + s.at(m.standing.at)
	}
	if !m.steering.at.IsZero() {
		text += ", steers at " + s.at(m.steering.at)
	}
	for _, l := range m.launches {
		text += fmt.Sprintf("; %d %s%s", l.n, s.role(l), l.state)
		if !l.deadline.IsZero() {
			text += " until " + s.at(l.deadline)
		}
		if !l.probe.at.IsZero() {
			text += " probe at " + s.at(l.probe.at)
		}
		if !l.count.at.IsZero() {
			text += " count at " + s.at(l.count.at)
		}
	}
	return text
}

func (s *script) role(l *launch) string {
	switch l {
	case s.machine.standby:
		return "standby "
	case s.machine.candidate:
		return "candidate "
	}
	return ""
}

func (s *script) at(t time.Time) string { return "+" + t.Sub(scriptBegin).String() }
