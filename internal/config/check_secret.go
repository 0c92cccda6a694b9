package config

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// mostSecrets bounds those of a gateway: each is a mount of its container.
const mostSecrets = 64

// validSecret is a name of a file without any surprise in it.
var validSecret = form(`[A-Za-z0-9_][A-Za-z0-9_.-]*`, 64)

// validCredential is what systemd takes for the name of a credential, and more.
var validCredential = form(`[A-Za-z0-9_.:@+-]+`, 255)

// defaultSecret is what a secret without keys means.
func defaultSecret() Secret {
	return Secret{Timeout: defaultSecretTimeout, Required: true, OnChange: OnChange{Action: ChangeRestart}}
}

// fillSecrets takes an array of tables. Every element gives a secret, also one
// at fault, so that the two have the same index.
func fillSecrets(r *report, n *node, into *Gateway) {
	if !n.isArray() {
		r.value(n, "want an array of tables, [[%s]], got %s", n.key(), kinds[n.kind])
		return
	}
	if len(n.children) > mostSecrets {
		r.key(n, "has more than %d secrets", mostSecrets)
	}
	into.Secrets = nil // of a key that is defined twice, the last one counts
	for _, element := range n.children {
		s := defaultSecret()
		if secretKeys.fill(r, element, &s) {
			requireKeys(r, element, "name", "source")
		}
		into.Secrets = append(into.Secrets, s)
	}
}

func secretName(r *report, n *node) (string, bool) {
	s, ok := text(r, n)
	if ok && !validSecret.fits(s) {
		r.value(n, "%s is no name of a secret: want up to 64 of letters, digits, _, . and -, not . or - first", quote(s))
		return "", false
	}
	return s, ok
}

// sourceForms has a row for each kind of source: what takes the text behind the
// colon, or tells its problem. No problem repeats the text: somebody may have
// written the secret itself there, and faults reach the journal.
var sourceForms = []struct {
	kind SecretKind
	take func(s string, into *SecretSource) (problem string)
}{
	{SecretCredential, takeCredential},
	{SecretFile, takeSecretFile},
	{SecretEnv, takeVariable},
	{SecretExec, takeProgram},
}

const wantSource = `want "credential:NAME", "file:/PATH", "env:NAME" or "exec:[…]"`

// secretSource takes a kind and what it is called there.
func secretSource(r *report, n *node) (SecretSource, bool) {
	s, ok := text(r, n)
	if !ok {
		return SecretSource{}, false
	}
	kind, rest, _ := strings.Cut(s, ":")
	for _, form := range sourceForms {
		if kind != string(form.kind) {
			continue
		}
		source := SecretSource{Kind: form.kind}
		if problem := form.take(rest, &source); problem != "" {
			r.value(n, "%s", problem)
			return SecretSource{}, false
		}
		return source, true
	}
	r.value(n, "is no source: "+wantSource)
	return SecretSource{}, false
}

func takeCredential(s string, into *SecretSource) string {
	into.Name = s
	return when(!validCredential.fits(s) || s == "." || s == "..", "names no credential: want credential: and a name as LoadCredential= has it")
}

func takeSecretFile(s string, into *SecretSource) string {
	into.Name = s
	problem, _ := pathProblem(s)
	return when(problem != "" || s == "/", "names no file: want file: and an absolute path in its shortest form")
}

func takeVariable(s string, into *SecretSource) string {
	into.Name = s
	return when(!envName.MatchString(s), "names no variable: want env: and letters, digits and _, not a digit first")
}

func takeProgram(s string, into *SecretSource) string {
	err := json.Unmarshal([]byte(s), &into.Argv)
	argv := into.Argv
	switch {
	case err != nil || len(argv) == 0:
		return `names no program: want exec: and an array as in JSON, such as exec:["/usr/bin/pass", "show", "web"]`
	case slices.ContainsFunc(argv, func(arg string) bool { return strings.ContainsRune(arg, 0) }):
		return "contains a NUL character"
	case argv[0] == "" || strings.Contains(argv[0], "/") && (!path.IsAbs(argv[0]) || path.Clean(argv[0]) != argv[0]):
		return "names no program: want an absolute path in its shortest form, or a name without /"
	}
	return ""
}

// secretAs takes "file", or the variable that holds the value.
func secretAs(r *report, n *node) (string, bool) {
	s, ok := text(r, n)
	name, isEnv := strings.CutPrefix(s, "env:")
	switch {
	case !ok || s == "file":
		return "", ok
	case !isEnv:
		r.value(n, `want "file" or "env:NAME"`)
		return "", false
	case !envName.MatchString(name):
		r.value(n, "want env: and the name of a variable: letters, digits and _, not a digit first")
		return "", false
	case slices.Contains(reserved, name) || name == CredentialsVariable:
		r.value(n, "%s is set by gatewayd itself", name)
		return "", false
	}
	return name, true
}

// onChange takes a word, or the signal that tells the program.
func onChange(r *report, n *node) (OnChange, bool) {
	s, ok := text(r, n)
	name, isSignal := strings.CutPrefix(s, "signal:")
	switch {
	case !ok:
		return OnChange{}, false
	case s == ChangeRestart || s == ChangeNone:
		return OnChange{Action: s}, true
	case !isSignal:
		r.word(n, s, quote(s)+` is none of restart, none, "signal:SIGHUP"`, ChangeRestart, ChangeNone)
		return OnChange{}, false
	}
	signal := named(name)
	if problem, words := signalProblem(signal, name); problem != "" {
		r.word(n, name, problem, words...)
		return OnChange{}, false
	}
	return OnChange{Action: ChangeSignal, Signal: signal}, true
}
