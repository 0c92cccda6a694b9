package config

import "slices"

// secretRule is what the keys of secret i must hold together with each other and
// with those of its gateway.
type secretRule struct {
	at     string   // the key of the secret that is at fault
	with   []string // the keys of the gateway that the rule looks at
	broken func(g *Gateway, i int) string
}

// applySecretRules reports each rule that a secret of g breaks, as applyRules.
func applySecretRules(r *report, n *node, g *Gateway) {
	list := n.find("secret")
	faulty := func(key string) bool { return n.find(key).anyFaulty() }
	for i := range g.Secrets {
		element := list.children[i]
		for _, rule := range secretRules {
			at := element.find(rule.at)
			if at == nil || element.anyFaulty() || slices.ContainsFunc(rule.with, faulty) {
				continue
			}
			if problem := rule.broken(g, i); problem != "" {
				r.value(at, "%s", problem)
			}
		}
	}
}

var secretRules = []secretRule{
	{"name", nil, func(g *Gateway, i int) string {
		return when(g.earlierSecret(i, func(s, other Secret) bool { return s.Name == other.Name }), "is the name of an earlier secret")
	}},
	{"as", nil, func(g *Gateway, i int) string {
		return when(g.earlierSecret(i, func(s, other Secret) bool { return !s.IsFile() && s.Variable == other.Variable }), "is the variable of an earlier secret")
	}},
	{"as", []string{"env"}, func(g *Gateway, i int) string {
		return when(g.Env.names(g.Secrets[i].Variable), "is a variable that env lists")
	}},
	{"timeout", nil, func(g *Gateway, i int) string {
		return when(g.Secrets[i].Source.Kind != SecretExec, "has no effect: only an exec source is waited for")
	}},
	{"on_change", nil, func(g *Gateway, i int) string {
		s := g.Secrets[i]
		return when(!s.IsFile() && s.OnChange.Action == ChangeSignal, `wants as = "file": nobody can change a variable of a program that runs`)
	}},
}

// earlierSecret tells whether a secret before i is alike.
func (g *Gateway) earlierSecret(i int, alike func(s, other Secret) bool) bool {
	return slices.ContainsFunc(g.Secrets[:i], func(other Secret) bool { return alike(g.Secrets[i], other) })
}

// names tells whether a variable is listed.
func (e Env) names(variable string) bool {
	_, static := e.Static[variable]
	return static || slices.Contains(e.Pass, variable) || slices.Contains(e.Required, variable)
}

// credentialsRule refuses a CREDENTIALS_DIRECTORY where gatewayd sets it.
func credentialsRule(key string, listed func(g *Gateway) bool) rule {
	return rule{key, []string{"secret"}, func(g *Gateway, has func(string) bool) string {
		return when(has(key) && listed(g) && g.SecretFiles(), CredentialsVariable+" is set by gatewayd, to the directory of the secrets that are files")
	}}
}

// hidesSecrets tells whether a mount covers the directory of the secrets, or
// lies in it: what the runtime makes there to mount them on would be made on the
// host.
func hidesSecrets(g *Gateway) bool {
	return g.SecretFiles() && slices.ContainsFunc(g.Mounts, func(m Mount) bool { return beneath(m.Target, SecretDir) })
}
