package config

import (
	"syscall"
	"time"
)

// SecretDir is where a container has its secret files.
const SecretDir = "/run/secrets"

// CredentialsVariable names the directory of secret files to a program, as
// systemd.exec(5) has it.
const CredentialsVariable = "CREDENTIALS_DIRECTORY"

// Secret is a value that a launch gets and that nobody else is to see.
type Secret struct {
	Name     string // unique in the gateway; of its file, too
	Source   SecretSource
	Timeout  time.Duration // of an exec source
	Variable string        // that holds the value; empty: a file does
	Required bool          // no launch without it
	OnChange OnChange
}

// SecretKind names where a secret comes from.
type SecretKind string

// The kinds of sources.
const (
	SecretCredential SecretKind = "credential" // a file in gatewayd's own $CREDENTIALS_DIRECTORY
	SecretFile       SecretKind = "file"
	SecretEnv        SecretKind = "env" // gatewayd's own environment
	SecretExec       SecretKind = "exec"
)

// SecretSource is where a secret comes from.
type SecretSource struct {
	Kind SecretKind
	Name string   // of the credential or variable; of a file its absolute path
	Argv []string // exec: the program whose output is the value
}

// OnChange says what follows when a secret has another value than a launch has.
type OnChange struct {
	Action string         // restart, signal or none
	Signal syscall.Signal // with signal
}

// The actions of an OnChange.
const (
	ChangeRestart = "restart"
	ChangeSignal  = "signal" // the file's content is rewritten, then the program is told
	ChangeNone    = "none"
)

// IsFile tells whether the launch has the secret as a file.
func (s Secret) IsFile() bool { return s.Variable == "" }

// SecretFiles tells whether the gateway has secrets as files.
func (g Gateway) SecretFiles() bool {
	for _, s := range g.Secrets {
		if s.IsFile() {
			return true
		}
	}
	return false
}
