package launch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Who reads why a package is refused reads which key helps, and that key does.
func TestRefusalsNameTheKey(t *testing.T) {
	const override = "isolation.override = true"
	for asked, c := range map[string]struct {
		want []string // of the message
		give func(*config.Isolation)
	}{
		`"process":{"args":["a"],"capabilities":{"bounding":["CAP_KILL","CAP_AUDIT_WRITE"],"effective":["CAP_KILL"]}}`: {
			[]string{"process.capabilities.bounding[0]: refused", `isolation.capabilities = ["AUDIT_WRITE", "KILL"], or ` + override},
			func(i *config.Isolation) { i.Capabilities = []string{"CAP_KILL", "CAP_AUDIT_WRITE"} },
		},
		`"process":{"args":["a"],"noNewPrivileges":false}`: {
			[]string{"process.noNewPrivileges: refused", "isolation.no_new_privs = false, or " + override}, func(i *config.Isolation) { i.NewPrivs = true },
		},
		`"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"}}`: {
			[]string{"linux.seccomp: refused", `isolation.seccomp = "bundle", or ` + override}, func(i *config.Isolation) { i.Seccomp = "bundle" },
		},
		`"linux":{"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq"]}`: {
			[]string{"linux.readonlyPaths: refused", `isolation.unmask = ["/proc/sys", "/proc/sysrq-trigger"], or ` + override},
			func(i *config.Isolation) { i.Unmask = []string{"/proc/sys", "/proc/sysrq-trigger"} },
		},
		`"mounts":[{"destination":"/proc","type":"bind","source":"/proc","options":["rbind"]}]`: {
			[]string{"mounts[0].source: refused", override}, func(i *config.Isolation) { i.Override = true },
		},
		`"mounts":[{"destination":"/home","type":"bind","source":"/home","options":["rbind"]}]`: {
			[]string{"mounts[0].source: refused", "[[gateway." + gatewayName + ".mount]]"}, nil,
		},
		`"hooks":{"prestart":[{"path":"/bin/true"}]}`: {[]string{"hooks: refused", "no key"}, nil},
	} {
		t.Run(asked, func(t *testing.T) {
			b := fakeBench(t)
			g := b.bundled(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["a"]},` + asked + `}`)
			err := b.refused(t.Context(), g)
			if !errors.Is(err, supervisor.ErrPermanent) || !errors.Is(err, bundle.ErrRefused) {
				t.Fatalf("prepare = %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nsays nothing of %s", err, part)
				}
			}
			if strings.Contains(err.Error(), override) != slices.ContainsFunc(c.want, func(s string) bool { return strings.HasSuffix(s, override) }) {
				t.Errorf("%v", err)
			}
			if c.give != nil {
				c.give(&g.Isolation)
				b.prepare(g)
			}
		})
	}
}

// The keys of the configuration are those of the spec: config knows no bundle.
func TestWhatIsMaskedIsKnown(t *testing.T) {
	paths := slices.Concat(bundle.MaskedPaths(), bundle.ReadonlyPaths())
	text := "[gateway.web]\nbundle = '/b'\nisolation.unmask = ['" + strings.Join(paths, "', '") + "']\n"
	c, err := config.Parse("masked", []byte(text))
	if err != nil || !slices.Equal(c.Gateways[0].Isolation.Unmask, paths) {
		t.Errorf("%v", err)
	}
	if _, err := config.Parse("more", []byte(strings.Replace(text, "['", "['/proc/uptime', '", 1))); err == nil {
		t.Error("what is not masked is taken")
	}
}
