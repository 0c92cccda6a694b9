package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lastCode is the highest exit code: wait(2) tells eight bits.
const lastCode = 255

// fillRules takes an array of tables. Every element gives a rule, also one at
// fault, so that the two have the same index.
func fillRules(r *report, n *node, into *Restart) {
	if !n.isArray() {
		r.value(n, "want an array of tables, [[%s]], got %s", n.key(), kinds[n.kind])
		return
	}
	into.On = nil // of a key that is defined twice, the last one counts
	taken := map[any]bool{}
	for _, element := range n.children {
		rule := defaultRule()
		if ruleKeys.fill(r, element, &rule) && !element.anyFaulty() {
			checkRule(r, element, rule, taken)
		}
		into.On = append(into.On, rule)
	}
}

// checkRule reports what the keys of a rule must hold together, and a rule that
// can never apply: all that it names is taken by earlier ones.
func checkRule(r *report, n *node, rule RestartRule, taken map[any]bool) {
	names := rule.names()
	switch {
	case len(names) == 0:
		r.key(n, "applies to nothing: want exit, signal or cause")
	case !slices.ContainsFunc(names, func(name any) bool { return !taken[name] }):
		r.key(n, "never applies: earlier rules name all that it does, and the first one counts")
	}
	for _, name := range names {
		taken[name] = true
	}
	for _, key := range []string{"delay", "factor", "max_delay", "count"} {
		if at := n.find(key); at != nil && rule.Action != "restart" {
			r.value(at, "has no effect with action = %q", rule.Action)
		}
	}
	if at := n.find("max_delay"); at != nil && rule.MaxDelay < rule.Delay {
		r.value(at, "is shorter than delay, %s", brief(rule.Delay))
	}
}

// names lists each code, signal and cause that the rule is for.
func (rule RestartRule) names() []any {
	var names []any
	for _, codes := range rule.Exit {
		for code := codes.First; code <= codes.Last; code++ {
			names = append(names, code)
		}
	}
	for _, signal := range rule.Signal {
		names = append(names, signal)
	}
	for _, cause := range rule.Cause {
		names = append(names, cause)
	}
	return names
}

// listOf takes an array of what one checker takes, with at least one element.
func listOf[V any](what string, one checker[V]) checker[[]V] {
	return func(r *report, n *node) ([]V, bool) {
		switch {
		case !n.isArray():
			r.value(n, "want an array of %s, got %s", what, kinds[n.kind])
			return nil, false
		case len(n.children) == 0:
			r.value(n, "is empty")
			return nil, false
		}
		var list []V
		ok := true
		for _, element := range n.children {
			value, good := one(r, element)
			list, ok = append(list, value), ok && good
		}
		return list, ok
	}
}

// exitCodes takes a code, or a string with the first and the last of a range.
func exitCodes(r *report, n *node) (ExitCodes, bool) {
	switch n.kind {
	case unstable.Integer:
		code, ok := integer(0, lastCode)(r, n)
		return ExitCodes{code, code}, ok
	case unstable.String:
		if codes, ok := codeRange(n.text); ok {
			return codes, true
		}
		r.value(n, `%s is no range of exit codes from 0 to %d, such as "64-77"`, quote(n.text), lastCode)
	default:
		r.value(n, `want an exit code, or a range such as "64-77", got %s`, kinds[n.kind])
	}
	return ExitCodes{}, false
}

func codeRange(s string) (ExitCodes, bool) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, bad := strconv.ParseUint(first, 10, 8)
	b, worse := strconv.ParseUint(last, 10, 8)
	return ExitCodes{int(a), int(b)}, bad == nil && worse == nil && a <= b
}
