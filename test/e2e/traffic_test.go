package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/test/bench/load"
)

// lingering is the example gateway behind a listener of gatewayd's: it serves
// what it has accepted for a while after SIGTERM. %s: more keys, and the mode.
const lingering = `
[gateway.web]
rootfs = "$ROOTFS"
command = ["/gatewayd", "example-gateway", "--address", "unix:/run/web/web.sock"]
ready.probe = "http://127.0.0.1:$PORT/healthz"
ready.interval = "50ms"
restart.reset_after = "20ms"
deploy.drain = "200ms"
%s
[[gateway.web.listen]]
name = "http"
address = "127.0.0.1:$PORT"
%s
`

// modes of a listen: a launch has slots of its own, or gatewayd relays.
var modes = map[string]string{"inherit": "", "proxy": "mode = \"proxy\"\nto = \"unix:/run/web/web.sock\"\n"}

func (i *instance) linger(mode string, keys ...string) {
	i.t.Helper()
	mustCopy(i.t, programs.gatewayd, i.values["ROOTFS"]+"/gatewayd")
	i.configure(fmt.Sprintf(lingering, strings.Join(keys, "\n"), modes[mode]))
}

// awaitStandby waits for the standby that is configured to wait.
func (i *instance) awaitStandby() state {
	i.t.Helper()
	return i.await("web", "with a standby", func(s state) bool {
		return s.Phase == "ready" && s.Standby.Launch > s.Launch && slices.Contains([]string{"created", "frozen"}, s.Standby.State)
	})
}

// killed kills a process and waits for its end.
func killGateway(t *testing.T, pid int) (k load.Kill) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	k.Sent = load.Now()
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of a killed gateway", func() error {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100); n != 1 {
			return fmt.Errorf("poll: %d, %w", n, err)
		}
		return nil
	})
	k.Dead = load.Now()
	return k
}

// A gateway that is killed under load costs what it had in flight, and nothing
// else: whoever waited for it reaches the next launch.
func TestKillsCostWhatIsInFlight(t *testing.T) {
	for _, mode := range []string{"inherit", "proxy"} {
		for _, standby := range []string{"none", "created", "warm"} {
			t.Run(mode+"/"+standby, func(t *testing.T) {
				t.Parallel()
				i := newInstance(t, "tk-"+mode[:1]+standby[:1])
				i.linger(mode, `standby = "`+standby+`"`)
				i.mustStart()
				clients := i.startLoad("PORT")
				<-clients.ready
				var kills []load.Kill
				for range longer(4, 40) {
					s := i.awaitReady("web")
					if standby != "none" {
						s = i.awaitStandby()
					}
					kills = append(kills, killGateway(t, s.Pid))
					i.awaitLaunch("web", s.Launch)
				}
				r := clients.stop(t, refused, late)
				if n := load.Stray(r.Fresh.Failures, kills); n > 0 {
					t.Errorf("%d failures of %+v were in flight in no launch that was killed, %+v", n, r.Fresh.Failures, kills)
				}
				i.mustStop()
				i.mustBeNothing()
			})
		}
	}
}

// Deploys of a gateway that lingers cost no request, on kept connections either.
func TestDeploysCostNoRequest(t *testing.T) {
	for _, mode := range []string{"inherit", "proxy"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, "td-"+mode[:1])
			i.linger(mode, `standby = "created"`)
			i.mustStart()
			clients := i.startClients("PORT", 5)
			<-clients.ready
			for range longer(4, 40) {
				i.must("deploy", "web", "--wait")
			}
			clients.stop(t, refused, late, cut)
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// A standby makes no fast crash loop of a slow one: it takes over when the delay
// is over that the crashes ask for.
func TestStandbyDoesNotSpeedACrashLoopUp(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "tc-loop")
	i.configure(strings.NewReplacer(
		`"when=/crash:sleep=150ms", "when=/crash:exit=3"`, `"sleep=300ms", "exit=3"`,
		`restart.delay = "50ms"`, "restart.delay = \"200ms\"\nrestart.factor = 2\nrestart.jitter = 0\nstandby = \"created\"",
	).Replace(listening))
	if err := i.start(); err != nil { // ready for 300 ms
		t.Fatal(err)
	}
	for seen := 0; seen < 4; { // on a busy machine not each of them is
		s := i.await("web", "waiting after a crash", func(s state) bool { return s.Failures > seen && !s.Next.IsZero() })
		seen = s.Failures
		delay := 200 * time.Millisecond << (seen - 1)
		if got := s.Next.Sub(s.CauseAt); got < delay-time.Millisecond || got > delay+time.Millisecond {
			t.Errorf("after %d crashes the next launch comes after %s, want %s", seen, got, delay)
		}
		if looping := s.Phase == "crash-looping"; looping != (seen >= 3) {
			t.Errorf("after %d crashes it is %s", seen, s.Phase)
		}
	}
}

// kill -9 of the launch that serves, and of gatewayd a moment later, in the
// middle of what that has to do: take over, rescue, steer.
func TestKilledInTheMiddleOfARescue(t *testing.T) {
	for _, standby := range []string{"created", "warm"} {
		t.Run(standby, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			i := newInstance(t, "tr-"+standby[:1])
			i.linger("inherit", `standby = "`+standby+`"`)
			i.mustStart()
			clients := i.startLoad("PORT")
			<-clients.ready
			for range longer(6, 60) {
				s := i.awaitStandby()
				if err := kill(s.Pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(random.IntN(15000)) * time.Microsecond) // a moment, not a wait for anything
				i.dies()
			}
			clients.stop(t, refused, late)
			s := i.awaitStandby()
			eventually(t, "the launch that serves and its standby", func() error { return i.twoLaunches(s) })
			i.oneServes()
			i.mustStop()
			i.mustBeNothing()
		})
	}
}

// twoLaunches returns an error unless there is one that serves, one that waits,
// and nothing of any other.
func (i *instance) twoLaunches(s state) error {
	found := i.traces()
	for what, list := range map[string][]string{"cgroup leaves": found.leaves, "launch directories": found.launches, "staged trees": found.rootfs} {
		if len(list) != 2 || !slices.Contains(list, s.ID) {
			return fmt.Errorf("%s: %v, and %s serves", what, list, s.ID)
		}
	}
	if len(found.daemons) != 1 {
		return fmt.Errorf("%d gatewayds: %v", len(found.daemons), found.daemons)
	}
	return nil
}

// oneServes asks often enough to hear of another launch that still had a share.
// The example gateway says since when it is up, and how many requests it has had.
func (i *instance) oneServes() {
	i.t.Helper()
	before := 0
	for range 50 {
		n, err := requestNumber(i.mustAsk("PORT", "/"))
		if err != nil || before > 0 && n != before+1 {
			i.t.Fatalf("request %d of one launch, after request %d: %v", n, before, err)
		}
		before = n
	}
}

func requestNumber(answer string) (n int, err error) {
	_, text, found := strings.Cut(strings.TrimSpace(answer), ", request ")
	if !found {
		return 0, errors.New(answer)
	}
	_, err = fmt.Sscan(text, &n)
	return n, err
}
