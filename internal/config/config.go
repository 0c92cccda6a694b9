package config

import (
	"syscall"
	"time"
)

// Config is a whole configuration, checked.
type Config struct {
	LogLevel string    // debug, info, warn or error
	Runtime  string    // auto, youki, crun, runc or an absolute path
	Gateways []Gateway // at least one, sorted by name
}

// Gateway is one configured workload. Slices and maps without elements are nil.
type Gateway struct {
	Name      string
	Rootfs    string // absolute path of a packaged tree; empty if Bundle is set
	Bundle    string // absolute path of a packaged OCI bundle; empty if Rootfs is set
	Staging   Staging
	Command   []string // nil: what the bundle says
	Workdir   string   // absolute; empty: what the bundle says
	Env       Env
	Mounts    []Mount // in the order of the file
	Secrets   []Secret
	Ready     Ready
	Restart   Restart
	Stop      Stop
	Isolation Isolation
	Listen    []Listen // in the order of the file
	Standby   Standby
	Deploy    Deploy
}

// Listen is an address that gatewayd listens on for a gateway.
type Listen struct {
	Name          string // unique in the gateway
	Address       string // HOST:PORT, unix:/PATH or systemd:NAME
	Mode          string // inherit or proxy
	To            string // proxy: HOST:PORT (port 0: one that gatewayd chooses) or unix:/PATH; empty with inherit
	ProxyProtocol bool
	Backlog       int
	Park          time.Duration // proxy: how long a connection waits while nothing serves
}

// Standby says what waits to take over.
type Standby struct {
	Mode   string        // none, created or warm
	Check  time.Duration // warm: between two times it is thawed, probed and frozen
	MaxAge time.Duration
}

// Deploy says how one revision follows another.
type Deploy struct {
	Drain     time.Duration // how long the old launch may finish what is in flight, before it is asked to end
	Canary    int           // percent of new connections that the new launch gets first; 0: none
	CanaryFor time.Duration
	Confirm   time.Duration // how long the new revision is provisional
}

// Staging says how the root of a launch is made from the source, and what the
// source must be. Its keys stand beside rootfs and bundle in the file.
type Staging struct {
	Stage       string // auto, copy or overlay
	IDs         string // single or range
	Verify      string // changed, always or never
	Digest      string // sha256: and 64 hexadecimal digits, lower case; empty: any tree will do
	MaxSize     int64  // of the content of a copy, in bytes; 0: no limit
	MaxFiles    int64  // entries of a copy; 0: no limit
	SkipSpecial bool   // leave FIFOs, sockets and devices out of a copy
	KeepSetuid  bool
}

// Env is the environment of a gateway. No name is in two of its fields.
type Env struct {
	Static   map[string]string
	Pass     []string // from gatewayd's own environment, if set and not blank
	Required []string // the same, and no launch without it
}

// DataSource is the source of a [Mount] that means the gateway's own
// persistent directory.
const DataSource = "data"

// Mount puts a directory or file of the host into the container.
type Mount struct {
	Source   string // DataSource or an absolute path
	Target   string // absolute; never "/", nor at or below /proc, /sys, /dev, /run/gatewayd
	ReadOnly bool
}

// Ready says how a gateway shows that it works.
type Ready struct {
	Probe          Probe
	Interval       time.Duration
	Timeout        time.Duration // of one probe
	StartTimeout   time.Duration
	UnhealthyAfter int // failed probes in a row; 0: never
}

// ProbeKind names what a probe does.
type ProbeKind string

// The kinds of probes.
const (
	ProbeNone   ProbeKind = "none"
	ProbeHTTP   ProbeKind = "http" // and https
	ProbeTCP    ProbeKind = "tcp"
	ProbeUnix   ProbeKind = "unix"
	ProbeExec   ProbeKind = "exec"
	ProbeNotify ProbeKind = "notify"
)

// Probe is one question "does it work?".
type Probe struct {
	Kind ProbeKind
	URL  string   // http: the whole URL; tcp: host:port; unix: absolute path as the gateway sees it
	Argv []string // exec
}

// Restart says what follows when a launch ends.
type Restart struct {
	Policy      string // always, on-failure or never
	Delay       time.Duration
	Factor      float64 // at least 1
	MaxDelay    time.Duration
	Jitter      float64 // 0 to 1, a share of the delay
	ResetAfter  time.Duration
	MaxFailures int // within Window; 0: no limit
	Window      time.Duration
	On          []RestartRule // the first that fits an end comes before all else
}

// RestartRule says what follows the ends that any of its first three fields
// names.
type RestartRule struct {
	Exit   []ExitCodes
	Signal []syscall.Signal
	Cause  []string // oom, unready or unhealthy
	Action string   // restart, hold or stop

	Delay    time.Duration // 0, and the next two as well: that of Restart
	Factor   float64       // 0: that of Restart
	MaxDelay time.Duration // 0: that of Restart, or Delay if that is longer
	Count    bool          // as a failure
}

// ExitCodes are those from First to Last.
type ExitCodes struct{ First, Last int }

// Stop says how a launch is ended.
type Stop struct {
	Signal  syscall.Signal
	Timeout time.Duration
}

// Isolation says what separates a gateway from the host.
type Isolation struct {
	Network  string // host or none
	ReadOnly bool   // of the container's root
	Seccomp  string // default, bundle (the package's own), unconfined or the absolute path of a profile
	Bare     bool   // no container at all: the command runs from the staged tree as a plain process
	Init     bool   // gatewayd's own binary is PID 1

	AllowConnect bool // connect(2) stays allowed without a network and with inherited listeners

	Tmp    int64            // bytes of the tmpfs at /tmp; 0: the root's own /tmp
	Limits map[string]int64 // by the names of setrlimit(2), without RLIMIT_ and in lower case

	// What is given back of what each container is kept from.
	Capabilities []string // such as CAP_KILL
	NewPrivs     bool     // no_new_privs is not set
	Unmask       []string // paths that are else masked or read-only

	Override bool // what a bundle asks for beyond all this is left out; else it is refused
}
