package launch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/runtime"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

const canary = "c4n4ry-in-a-coal-mine"

// isCanary is a shell's way to know the value without having it in its script.
const isCanary = "[ \"$(cat \"$CREDENTIALS_DIRECTORY/token\")\" = c4n4ry-'in-a-coal-mine' ]"

// keep writes a secret to a file that only we may read, and returns its source.
func (b *bench) keep(value string) config.SecretSource {
	b.t.Helper()
	path := filepath.Join(b.dir, "kept")
	must(b.t, os.WriteFile(path, []byte(value), 0o600))
	return config.SecretSource{Kind: config.SecretFile, Name: path}
}

// secretly is a gateway that has the secret "token" as a file.
func (b *bench) secretly(script string) config.Gateway {
	g := b.gateway(script)
	g.Secrets = []config.Secret{{Name: "token", Source: b.keep(canary + "\n"), Required: true}}
	return g
}

// hidden fails where a path of ours leads to the secret, or is left of it.
func (b *bench) hidden(t *testing.T) {
	t.Helper()
	b.without(t, canary)
	if names, err := namesIn(b.Dirs.Secrets()); err != nil || len(names) > 0 {
		t.Errorf("secrets: %q, %v", names, err)
	}
}

// As a file and in a variable: the program has it, and nobody else from the
// moment on that the container is there, a standby's too.
func suiteSecretFiles(t *testing.T, b *bench) {
	g := b.secretly(isCanary + ` && [ "$TOKEN" = c4n4ry-'in-a-coal-mine' ] && [ $CREDENTIALS_DIRECTORY = /run/secrets ] || exit 1
		echo x 2>/dev/null >>/run/secrets/token || chmod 600 /run/secrets/token 2>/dev/null || mv /run/secrets/token /tmp 2>/dev/null || echo kept
		[ -e /run/secrets/optional ] || echo ready; exec sleep 1000`)
	g.Secrets = append(g.Secrets,
		config.Secret{Name: "variable", Source: g.Secrets[0].Source, Variable: "TOKEN", Required: true},
		config.Secret{Name: "optional", Source: config.SecretSource{Kind: config.SecretFile, Name: "/no/such/file"}},
		config.Secret{Name: "program", Source: config.SecretSource{Kind: config.SecretExec, Argv: []string{"echo", canary}}, Timeout: time.Minute, Required: true})
	r := b.prepare(g)
	b.hidden(t)
	must(t, r.Start(t.Context(), r.n))
	r.says("kept")
	r.says("ready")
	b.hidden(t)
	options := mountOptions(t, r.pid(), "/run/secrets/token")
	for _, want := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !strings.Contains(","+options+",", ","+want+",") {
			t.Errorf("it is mounted %s, and not %s", options, want)
		}
	}
	r.clean()
	b.hidden(t)
}

// mountOptions are those of a mount of a process, by field 6 of its mountinfo
// (proc(5)).
func mountOptions(t *testing.T, pid int, at string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); fields[4] == at {
			return fields[5]
		}
	}
	t.Errorf("nothing is mounted at %s:\n%s", at, data)
	return ""
}

// A root that cannot be written has no place for it either.
func suiteSecretReadOnly(t *testing.T, b *bench) {
	g := b.secretly(isCanary + " && echo ready; exec sleep 1000")
	g.Isolation.ReadOnly = true
	b.startReady(g)
	b.hidden(t)
}

// A program that becomes another user reads it, too.
func suiteRangeSecret(t *testing.T, b *bench) {
	g := b.secretly("exec setpriv --reuid 1 --regid 1 --clear-groups sh -c '" + strings.ReplaceAll(isCanary, "'", `'\''`) + " && echo ready; exec sleep 1000'")
	b.startReady(g)
	b.hidden(t)
}

// Another image has the secrets of a launch, and the file by which one is
// rewritten.
func suiteSecretImage(t *testing.T, b *bench) {
	g := b.secretly(isCanary + " && echo ready; exec sleep 1000")
	g.Secrets[0].OnChange = config.OnChange{Action: config.ChangeSignal}
	r := b.startReady(g).image(nil).image(nil)
	has := r.find(r.n).secrets
	if len(has) != 1 || has[0].sum != sha256.Sum256([]byte(canary+"\n")) || has[0].file == nil {
		t.Errorf("it has %d", len(has))
	}
	b.hidden(t)
}

// The file of a program that runs gets another value, and the program is told.
// One that is the same is not stale; who does not serve ends.
func suiteSecretRewrite(t *testing.T, b *bench) {
	const says = `say() { sed s/4/a/g "$CREDENTIALS_DIRECTORY/token"; }; trap 'say; echo told' HUP; say; echo ready; while :; do sleep 0.05; done`
	g := b.secretly(says)
	g.Secrets[0].OnChange = config.OnChange{Action: config.ChangeSignal, Signal: syscall.SIGHUP}
	r := b.startReady(g).image(nil)
	stale := func(want int) {
		t.Helper()
		if got, err := r.Stale(t.Context(), r.n, func(config.Secret) bool { return true }); err != nil || len(got) != want {
			t.Errorf("%d are stale, %v, want %d", len(got), err, want)
		}
	}
	stale(0)
	for _, value := range []string{"short!", "and-longer-again-than-it-was"} {
		b.keep(value + "\n")
		stale(1)
		must(t, r.Rewrite(t.Context(), r.n, g.Secrets[0]))
		r.says(value)
		stale(0)
	}
	r.says("told")
	b.hidden(t)
	file := &r.find(r.n).secrets[0].file
	whole := *file
	*file, _ = os.Open(os.DevNull) // nobody can write there
	b.keep("a-value-that-is-not-written\n")
	if err := r.Rewrite(t.Context(), r.n, g.Secrets[0]); err == nil {
		t.Error("what cannot be written is")
	}
	stale(1)
	must(t, (*file).Close())
	*file = whole
	must(t, os.Remove(g.Secrets[0].Source.Name))
	if _, err := r.Stale(t.Context(), r.n, func(config.Secret) bool { return true }); !errors.Is(err, secrets.ErrAbsent) {
		t.Errorf("a secret that is gone: %v", err)
	}
	b.keep(canary)
	standby := b.prepare(g)
	cause := errors.New("older value")
	standby.Outdate(standby.n, cause)
	if exit := standby.exit(); !errors.Is(exit.Err, cause) {
		t.Errorf("exit = %+v", exit)
	}
}

// A program that has secrets leaves no core, whatever gatewayd's own limit is, but
// where its operator wants one.
func TestNoCoreOfSecrets(t *testing.T) {
	with, asked := []config.Secret{{Name: "token"}}, map[string]int64{"core": 4096}
	for _, c := range []struct {
		secrets []config.Secret
		limits  map[string]int64
		want    string
	}{
		{nil, nil, "[]"},
		{with, nil, "[{RLIMIT_CORE 0 0}]"},
		{with, asked, "[{RLIMIT_CORE 4096 4096}]"},
	} {
		g := config.Gateway{Secrets: c.secrets}
		g.Isolation.Limits = c.limits
		if got := fmt.Sprint(limits(g)); got != c.want {
			t.Errorf("limits = %s, want %s", got, c.want)
		}
	}
}

// Whatever becomes of the runtime, no path leads to a secret when it is over: that
// does not wait for Clean.
func TestSecretsOfACreateThatFails(t *testing.T) {
	for _, behaviour := range []string{"create-hang-late", "create-die-early", "create-die-late", "create-refuse-late", "create-no-pid"} {
		t.Run(behaviour, func(t *testing.T) {
			limit := time.Minute
			if behaviour == "create-hang-late" {
				limit = 2 * time.Second // Clean's call has it, too
			}
			b := told(t, limit, behaviour)
			g := b.secretly("echo ready")
			g.Secrets = append(g.Secrets, config.Secret{Name: "variable", Source: g.Secrets[0].Source, Variable: "TOKEN", Required: true})
			l := launcherOf(b.Host, g)
			if _, err := l.Prepare(t.Context(), 1, g.Revision()); err == nil {
				t.Error("prepare succeeds")
			}
			b.hidden(t)
			must(t, l.Clean(t.Context(), 1))
		})
	}
}

// While the runtime reads it a secret lies where only we and container root come
// to, and Clean takes it away though a process may be left.
func TestSecretDuringCreate(t *testing.T) {
	b := told(t, time.Minute, "create-hang")
	g := b.secretly("")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	l := launcherOf(b.Host, g)
	go func() { _, err := l.Prepare(ctx, 1, g.Revision()); done <- err }()
	path := func() string { return filepath.Join(b.Dirs.Secrets(), l.Info(1).ID, "token") }
	waitFor(t, "the call of create", func() bool {
		data, err := os.ReadFile(path())
		return err == nil && string(data) == canary+"\n" && len(alive()) > 0
	})
	info, err := os.Stat(path())
	must(t, err)
	uid, _ := b.ids()
	if info.Mode().Perm() != 0o400 || ownerOf(info) != uid {
		t.Errorf("mode %v, uid %d, want 0400 and %d", info.Mode(), ownerOf(info), uid)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("prepare = %v", err)
	}
	b.hidden(t)
	must(t, l.Clean(t.Context(), 1))
}

// What is refused or missing would be so again; what failed may not.
func TestSecretThatCannotBeHad(t *testing.T) {
	for name, c := range map[string]struct {
		source    config.SecretSource
		mode      os.FileMode
		permanent bool
	}{
		"missing":   {config.SecretSource{Kind: config.SecretFile, Name: "/no/such/file"}, 0o600, true},
		"open":      {config.SecretSource{}, 0o644, true},
		"variable":  {config.SecretSource{Kind: config.SecretEnv, Name: "NOT_SET"}, 0o600, true},
		"program":   {config.SecretSource{Kind: config.SecretExec, Argv: []string{"false"}}, 0o600, false},
		"too short": {config.SecretSource{Kind: config.SecretExec, Argv: []string{"echo", "short"}}, 0o600, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := told(t, 0, "")
			g := b.secretly("echo ready")
			s := &g.Secrets[0]
			must(t, os.Chmod(s.Source.Name, c.mode))
			if s.Timeout = time.Minute; c.source.Kind != "" {
				s.Source = c.source
			}
			err := b.refused(t.Context(), g)
			if errors.Is(err, supervisor.ErrPermanent) != c.permanent || !strings.Contains(fmt.Sprint(err), "read secret token from") {
				t.Errorf("error = %v, permanent: %v", err, c.permanent)
			}
		})
	}
}

// A bare program has no mounts: its files stay for as long as it does.
func bareSecret(t *testing.T, b *bench) {
	g := b.bareGateway(isCanary + " && echo ready; exec sleep 1000")
	g.Secrets = b.secretly("").Secrets
	r := b.startReady(g)
	path := filepath.Join(b.Dirs.Secrets(), r.id(), "token")
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o400 || ownerOf(info) != os.Geteuid() {
		t.Errorf("mode %v, uid %d", info.Mode(), ownerOf(info))
	}
	if _, err := b.Sweep(t.Context(), r.id()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil { // of a launch that was taken over
		t.Error(err)
	}
	r.clean()
	b.hidden(t)
}

// What one launch has left may take long to end. The environments of others are gone
// by then.
func TestSweepScrubsAllFirst(t *testing.T) {
	b := told(t, 0, "")
	first, second := bundle.NewID(gatewayName, 1), bundle.NewID(gatewayName, 2)
	for _, id := range []string{first, second} {
		b.plant(id, "")
		must(t, os.WriteFile(filepath.Join(b.Dirs.Launches(), id, "config.json"), []byte(canary), 0o600))
	}
	of := b.Runtime
	b.Runtime = func(ctx context.Context) (*runtime.Runtime, error) { // which is asked for each of them
		b.without(t, canary)
		return of(ctx)
	}
	_, err := b.Sweep(t.Context())
	must(t, err)
	b.swept(t)
}

// A sweep takes secrets away before it waits for anything.
func TestSweepBeginsWithSecrets(t *testing.T) {
	b := told(t, 0, "")
	id := bundle.NewID(gatewayName, 1)
	for _, name := range []string{id, bundle.RemovingPrefix + id, "stranger"} {
		must(t, os.MkdirAll(filepath.Join(b.Dirs.Secrets(), name), 0o700))
		must(t, os.WriteFile(filepath.Join(b.Dirs.Secrets(), name, "token"), []byte(canary), 0o400))
	}
	if !b.Left() {
		t.Error("nothing is left, says Left")
	}
	b.plant(id, "")
	copied := filepath.Join(b.Dirs.RuntimeRoot(), id) // as crun does
	must(t, os.MkdirAll(copied, 0o700))
	must(t, os.WriteFile(filepath.Join(copied, "config.json"), []byte(canary), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = b.Sweep(ctx) // which may come to nothing else
	b.hidden(t)
	b.swept(t)
}
