package config

import (
	"testing"
	"time"
)

func TestSecretSources(t *testing.T) {
	for text, want := range map[string]SecretSource{
		`"credential:web.key"`:                 {Kind: SecretCredential, Name: "web.key"},
		`"file:/run/keys/a:b"`:                 {Kind: SecretFile, Name: "/run/keys/a:b"},
		`"env:TOKEN"`:                          {Kind: SecretEnv, Name: "TOKEN"},
		`'exec:["pass", "show", "a b\n"]'`:     {Kind: SecretExec, Argv: []string{"pass", "show", "a b\n"}},
		`"exec: [ \"/usr/bin/pass\" ]"`:        {Kind: SecretExec, Argv: []string{"/usr/bin/pass"}},
		"'''exec:[\n  \"/usr/bin/pass\"\n]'''": {Kind: SecretExec, Argv: []string{"/usr/bin/pass"}},
	} {
		s := parseOne(t, "[gateway.web]\nbundle = '/b'\n[[gateway.web.secret]]\nname = 'token'\nsource = "+text+"\n").Secrets[0]
		compare(t, Secret{Name: "token", Source: want, Timeout: 10 * time.Second, Required: true, OnChange: OnChange{Action: "restart"}}, s)
	}
}
