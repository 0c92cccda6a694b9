package bundle

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// defaultPath is what images expect; without a PATH youki does not find the
// program.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ownersEnv are variables by which a process's parent speaks to it. Packaged
// ones would be lies; gatewayd sets its own by Plan.Env.
var ownersEnv = []string{
	"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID",
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
}

func (p Plan) process(h host, packaged *specs.Process) (*specs.Process, error) {
	if packaged == nil {
		packaged = &specs.Process{}
	}
	user, err := p.user(packaged.User)
	if err != nil {
		return nil, err
	}
	args, err := p.args(packaged.Args)
	if err != nil {
		return nil, err
	}
	cwd, err := p.cwd(packaged.Cwd)
	if err != nil {
		return nil, err
	}
	env, err := p.env(packaged.Env)
	if err != nil {
		return nil, err
	}
	rlimits, err := p.rlimits(h, packaged.Rlimits)
	if err != nil {
		return nil, err
	}
	return &specs.Process{
		User: user, Args: args, Cwd: cwd, Env: env, Rlimits: rlimits,
		Capabilities:    p.capabilities(user),
		NoNewPrivileges: !p.Given.NewPrivileges,
	}, nil
}

func (p Plan) args(packaged []string) ([]string, error) {
	args := slices.Clone(p.Args)
	if len(args) == 0 {
		args = slices.Clone(packaged)
	}
	if len(args) == 0 || args[0] == "" {
		return nil, refused("process.args", "no program named")
	}
	for i, arg := range args {
		if hasNUL(arg) {
			return nil, refused(fmt.Sprintf("process.args[%d]", i), "with a NUL")
		}
	}
	if p.Init != "" {
		args = append([]string{InitTarget, "init", "--"}, args...)
	}
	return args, nil
}

func (p Plan) cwd(packaged string) (string, error) {
	cwd := p.Cwd
	if cwd == "" {
		cwd = packaged
	}
	if cwd == "" {
		cwd = "/"
	}
	if !filepath.IsAbs(cwd) || hasNUL(cwd) {
		return "", refused("process.cwd", "not an absolute path")
	}
	return filepath.Clean(cwd), nil
}

// env lays the plan's variables over the packaged ones. A name is there once:
// of two, programs differ in which one they take.
func (p Plan) env(packaged []string) ([]string, error) {
	env := []string{defaultPath}
	place := map[string]int{"PATH": 0}
	set := func(variable, name string) {
		if i, ok := place[name]; ok {
			env[i] = variable
			return
		}
		place[name] = len(env)
		env = append(env, variable)
	}
	for i, variable := range packaged {
		name, ok := variableName(variable)
		if !ok {
			return nil, refused(fmt.Sprintf("process.env[%d]", i), "not NAME=value")
		}
		if !slices.Contains(ownersEnv, name) {
			set(variable, name)
		}
	}
	for i, variable := range p.Env {
		name, ok := variableName(variable)
		if !ok { // without the text: it may be a secret
			return nil, fmt.Errorf("environment variable %d of the plan: not NAME=value", i)
		}
		set(variable, name)
	}
	return env, nil
}

func variableName(variable string) (string, bool) {
	name, _, ok := strings.Cut(variable, "=")
	return name, ok && name != "" && !hasNUL(variable)
}

func hasNUL(s string) bool { return strings.Contains(s, "\x00") }

// resources are the names of getrlimit(2).
var resources = map[string]int{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE,
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

// rlimits are the plan's, and those of the package that the plan says nothing of.
func (p Plan) rlimits(h host, packaged []specs.POSIXRlimit) ([]specs.POSIXRlimit, error) {
	rlimits, err := rlimitsWithin(h, packaged)
	if err != nil {
		return nil, err
	}
	for _, r := range p.Limits {
		if hard := h.hardLimit(resources[r.Type]); r.Hard > hard {
			return nil, fmt.Errorf("limit %s: %d is above the hard limit of this process, %d", r.Type, r.Hard, hard)
		}
		rlimits = append(slices.DeleteFunc(rlimits, func(other specs.POSIXRlimit) bool { return other.Type == r.Type }), r)
	}
	return rlimits, nil
}

// rlimitsWithin lowers what a package asks for to the hard limits of this
// process. The runtime could not raise them, and fails if it is told to.
func rlimitsWithin(h host, packaged []specs.POSIXRlimit) ([]specs.POSIXRlimit, error) {
	var rlimits []specs.POSIXRlimit
	seen := map[string]bool{}
	for i, r := range packaged {
		place := fmt.Sprintf("process.rlimits[%d]", i)
		resource, ok := resources[r.Type]
		switch {
		case !ok:
			return nil, refused(place+".type", "no such limit")
		case seen[r.Type]:
			return nil, refused(place+".type", "named twice")
		case r.Soft > r.Hard:
			return nil, refused(place+".soft", "above the hard limit")
		}
		seen[r.Type] = true
		r.Hard = min(r.Hard, h.hardLimit(resource))
		r.Soft = min(r.Soft, r.Hard)
		rlimits = append(rlimits, r)
	}
	return rlimits, nil
}
