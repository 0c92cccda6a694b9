package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const configs = "../../configs/"

func TestExampleLoads(t *testing.T) {
	c := load(t, configs+"gatewayd.toml")
	want := defaultGateway("web")
	want.Rootfs = "/usr/lib/web/rootfs"
	want.Command = []string{"/bin/web", "serve"}
	want.Workdir = "/"
	want.Env = Env{
		Static:   map[string]string{"LOG": "info"},
		Pass:     []string{"HTTPS_PROXY"},
		Required: []string{"WEB_TOKEN"},
	}
	want.Mounts = []Mount{{Source: DataSource, Target: "/var/lib/web"}}
	want.Ready.Probe = Probe{Kind: ProbeHTTP, URL: "http://127.0.0.1:8090/healthz"}
	want.Listen = []Listen{{Name: "http", Address: "127.0.0.1:8090", Mode: "inherit", Backlog: 4096, Park: 5 * time.Second}}
	compare(t, &Config{LogLevel: "info", Runtime: "auto", Gateways: []Gateway{want}}, c)
}

func TestAutoReviewLoads(t *testing.T) {
	c := load(t, configs+"auto-review.toml")
	if len(c.Gateways) != 1 {
		t.Fatalf("%d gateways", len(c.Gateways))
	}
	g := c.Gateways[0]
	compare(t, []string{"/bin/auto-review", "gateway"}, g.Command)
	compare(t, []string{"FORGEJO_BASE_URL", "AR_FORGEJO_TOKEN", "LLM_BASE_URL"}, g.Env.Required)
	compare(t, []Mount{{Source: DataSource, Target: g.Workdir}}, g.Mounts)
	compare(t, Probe{Kind: ProbeHTTP, URL: "http://127.0.0.1:8080/healthz"}, g.Ready.Probe)
	compare(t, "0.0.0.0:8080", g.Env.Static["AR_GATEWAY_BIND"])
	if g.Workdir != "/var/lib/auto_review" || g.Isolation.Network != "host" {
		t.Errorf("got %+v", g)
	}
}

// What calls nobody has no network: the examples are what people copy.
func TestExamplesHaveNoNetwork(t *testing.T) {
	callers := []string{"auto-review", "gatewayd"} // gatewayd.toml shows the defaults
	for _, path := range glob(t, configs+"*.toml") {
		name := strings.TrimSuffix(filepath.Base(path), ".toml")
		for _, g := range load(t, path).Gateways {
			if want := slices.Contains(callers, name); (g.Isolation.Network == "host") != want {
				t.Errorf("%s has network = %q", path, g.Isolation.Network)
			}
		}
	}
}

// TestEveryKey sets each key of the schema to what is not its default.
func TestEveryKey(t *testing.T) {
	got := load(t, "testdata/every-key.toml")
	web := Gateway{
		Name:   "web",
		Bundle: "/usr/lib/web/bundle",
		Staging: Staging{
			Stage: "copy", IDs: "range", Verify: "always", Digest: emptyDigest,
			MaxSize: 10 << 30, MaxFiles: 1_000_000, SkipSpecial: true, KeepSetuid: true,
		},
		Command: []string{"web", ""},
		Workdir: "/srv",
		Env: Env{
			Static:   map[string]string{"A": "line\nline", "_b1": ""},
			Pass:     []string{"C"},
			Required: []string{"D", "E"},
		},
		Mounts: []Mount{{Source: "/etc/ssl", Target: "/etc/ssl", ReadOnly: true}, {Source: DataSource, Target: "/srv/data"}},
		Secrets: []Secret{
			{
				Name: "token", Source: SecretSource{Kind: SecretExec, Argv: []string{"/usr/bin/pass", "show", "web"}}, Timeout: time.Minute,
				Variable: "WEB_TOKEN", OnChange: OnChange{Action: "none"},
			},
			{
				Name: "key.pem", Source: SecretSource{Kind: SecretCredential, Name: "web.key"}, Timeout: 10 * time.Second,
				Required: true, OnChange: OnChange{Action: "signal", Signal: syscall.SIGHUP},
			},
		},
		Ready: Ready{
			Probe:    Probe{Kind: ProbeExec, Argv: []string{"/bin/check", "-v"}},
			Interval: time.Millisecond, Timeout: 90 * time.Second, StartTimeout: 24 * time.Hour,
		},
		Restart: Restart{
			Policy: "on-failure", Delay: time.Second, Factor: 1, MaxDelay: time.Second, Jitter: 1,
			ResetAfter: time.Minute, MaxFailures: 16, Window: 168 * time.Hour,
			On: []RestartRule{
				{
					Exit: []ExitCodes{{75, 75}, {64, 77}}, Signal: []syscall.Signal{syscall.SIGSEGV, syscall.SIGKILL}, Cause: []string{"oom", "unready", "unhealthy"},
					Action: "restart", Delay: 2 * time.Second, Factor: 3, MaxDelay: 3 * time.Second,
				},
				{Exit: []ExitCodes{{78, 78}}, Action: "hold", Count: true},
			},
		},
		Stop: Stop{Signal: syscall.SIGQUIT, Timeout: 1500 * time.Millisecond},
		Isolation: Isolation{
			Network: "none", ReadOnly: true, Seccomp: "/etc/gatewayd/seccomp.json", Init: true, AllowConnect: true,
			Tmp: 64 << 20, Limits: map[string]int64{"nofile": 1024, "nproc": 64, "core": 0, "as": 2 << 30},
			Capabilities: []string{"CAP_NET_BIND_SERVICE", "CAP_KILL"}, NewPrivs: true, Unmask: []string{"/proc/kcore", "/proc/sys"}, Override: true,
		},
		Listen: []Listen{
			{Name: "http", Address: "[::1]:8090", Mode: "inherit", Backlog: 1, Park: 5 * time.Second},
			{Name: "api-2", Address: "systemd:web.socket", Mode: "proxy", To: "unix:/run/web/{launch}.sock", ProxyProtocol: true, Backlog: 65535},
		},
		Standby: Standby{Mode: "warm", Check: time.Minute, MaxAge: time.Hour},
		Deploy:  Deploy{Canary: 10, CanaryFor: 10 * time.Second},
	}
	host := defaultGateway("host")
	host.Rootfs, host.Command, host.Workdir, host.Isolation.Bare = "/usr/lib/web/rootfs", []string{"/bin/web"}, "/", true
	compare(t, &Config{LogLevel: "debug", Runtime: "/opt/youki", Gateways: []Gateway{host, web}}, got)
}

// emptyDigest is of the right form.
const emptyDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestDefaultsOfABundleAreItsOwn(t *testing.T) {
	g := parseOne(t, "[gateway.web]\nbundle = '/b'\n")
	if g.Command != nil || g.Workdir != "" {
		t.Errorf("command %q and workdir %q are not left to the bundle", g.Command, g.Workdir)
	}
	if g := parseOne(t, "[gateway.web]\nrootfs = '/r'\ncommand = ['/w']\n"); g.Workdir != "/" {
		t.Errorf("workdir of a rootfs is %q", g.Workdir)
	}
}

// TestForms writes the same gateway in the ways that TOML has.
func TestForms(t *testing.T) {
	want := load(t, "testdata/forms/headers.toml")
	for _, path := range glob(t, "testdata/forms/*.toml") {
		compare(t, want, load(t, path))
	}
}

func TestProbes(t *testing.T) {
	for text, want := range map[string]Probe{
		`"none"`:                            {Kind: ProbeNone},
		`"notify"`:                          {Kind: ProbeNotify},
		`"http://[::1]:8090/a?b=c"`:         {Kind: ProbeHTTP, URL: "http://[::1]:8090/a?b=c"},
		`"https://localhost"`:               {Kind: ProbeHTTP, URL: "https://localhost"},
		`"tcp://127.0.0.1:5432"`:            {Kind: ProbeTCP, URL: "127.0.0.1:5432"},
		`"tcp://[::1]:5432"`:                {Kind: ProbeTCP, URL: "[::1]:5432"},
		`"unix:///run/web.sock"`:            {Kind: ProbeUnix, URL: "/run/web.sock"},
		`"unix:///run/100%.sock"`:           {Kind: ProbeUnix, URL: "/run/100%.sock"},
		`["check", "--all", "a b\n"]`:       {Kind: ProbeExec, Argv: []string{"check", "--all", "a b\n"}},
		`[ "/bin/check", # comment` + "\n]": {Kind: ProbeExec, Argv: []string{"/bin/check"}},
	} {
		compare(t, want, parseOne(t, "[gateway.web]\nbundle = '/b'\nready.probe = "+text+"\n").Ready.Probe)
	}
}

func TestSignals(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		`"SIGTERM"`: syscall.SIGTERM, `"TERM"`: syscall.SIGTERM, `"15"`: syscall.SIGTERM, `15`: syscall.SIGTERM, `0xf`: syscall.SIGTERM,
		`"SIGWINCH"`: syscall.SIGWINCH, `"KILL"`: syscall.SIGKILL, `37`: 37,
	} {
		if got := parseOne(t, "[gateway.web]\nbundle = '/b'\nstop.signal = "+text+"\n").Stop.Signal; got != want {
			t.Errorf("%s is signal %d, want %d", text, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1B": 1, "0001B": 1, "1023B": 1023, "1KiB": 1 << 10, "300MiB": 300 << 20, "10GiB": 10 << 30, "1024TiB": 1 << 50, "1125899906842624B": 1 << 50,
	} {
		if got := parseOne(t, "[gateway.web]\nbundle = '/b'\nmax_size = '"+text+"'\n").Staging.MaxSize; got != want {
			t.Errorf("%s is %d bytes, want %d", text, got, want)
		}
	}
}

func TestPinIsVerifiedUnlessToldOtherwise(t *testing.T) {
	for _, verify := range []string{"", "verify = 'changed'\n", "verify = 'always'\n"} {
		g := parseOne(t, "[gateway.web]\nbundle = '/b'\ndigest = '"+emptyDigest+"'\n"+verify)
		if g.Staging.Digest != emptyDigest || g.Staging.Verify == "never" {
			t.Errorf("%s: %+v", verify, g.Staging)
		}
	}
}

// TestFaultsRepeatNoSecrets: where a password or token is likely to be written,
// rightly or not.
func TestFaultsRepeatNoSecrets(t *testing.T) {
	for _, line := range []string{
		`ready.probe = "http://user:canary@host/"`,
		`ready.probe = "http://user:can#canary@host/"`,
		`ready.probe = "http://user:canary@host:port/"`,
		`ready.probe = "http://canary\u007f@/"`,
		`ready.probe = "ftp://user:canary@host/"`,
		`env.pass = ["TOKEN=canary"]`,
		`env.static.TOKEN = ["canary"]`,
		`env.static.TOKEN = "canary\u0000"`,
		`env.TOKEN = "canary"`,
		`secret = [{ name = "token", source = "canary" }]`,
		`secret = [{ name = "token", source = "file:canary" }]`,
		`secret = [{ name = "token", source = "env:canary!" }]`,
		`secret = [{ name = "token", source = "exec:canary" }]`,
		`secret = [{ name = "token", source = "credential:/canary" }]`,
		`secret = [{ name = "token", value = "canary" }]`,
		`secret = [{ name = "token", source = "env:A", as = "env:TOKEN=canary" }]`,
	} {
		_, err := Parse("f", []byte("[gateway.web]\nbundle = '/b'\n"+line+"\n"))
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestLoadRefusesALargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.toml")
	text := "[gateway.web]\nbundle = '/b'\n#"
	for _, size := range []int{maxSize, maxSize + 1} {
		data := text + strings.Repeat("x", size-len(text))
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		var faults Faults
		if large := size > maxSize; large != errors.As(err, &faults) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestLoadTellsAMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestArgumentsThatExecveRefuses(t *testing.T) {
	const text = "[gateway.web]\nbundle = '/b'\ncommand = ['web', '%s']\n"
	for size, fits := range map[int]bool{maxText: true, maxText + 1: false} {
		_, err := Parse("f", fmt.Appendf(nil, text, strings.Repeat("x", size)))
		if (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestByteOrderMarkIsIgnored(t *testing.T) {
	parseOne(t, "\uFEFF[gateway.web]\nbundle = '/b'\n")
}

func load(t *testing.T, path string) *Config {
	t.Helper()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parseOne(t *testing.T, text string) Gateway {
	t.Helper()
	c, err := Parse("f.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return c.Gateways[0]
}

func compare(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
