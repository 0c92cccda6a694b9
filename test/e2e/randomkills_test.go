package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Kills at random moments, of gatewayd, of containers and of anything else that
// there is of them, while people do this and that and clients ask: nobody is
// refused, and when it is over nothing of it is left.
//
// GATEWAYD_TEST_SEED repeats what is chosen, GATEWAYD_TEST_KILLS says how many.
func TestRandomKills(t *testing.T) {
	t.Parallel()
	m := &mayhem{t: t, i: newInstance(t, "random"), killed: map[string]int{}}
	m.random = rand.New(rand.NewPCG(m.seed(), 0))
	m.i.configure("log_level = \"debug\"\n" + m.i.withSecret(handedOver+strings.ReplaceAll(forking, "$PORT2", "$PORT3")))
	m.i.version("two")
	m.i.mustStart()
	slate := m.i.newSlate(map[string]string{"web": "PORT", "behind": "PORT2", "forks": "PORT3"})
	wanted := longer(10, 1000)
	if n, err := strconv.Atoi(os.Getenv("GATEWAYD_TEST_KILLS")); err == nil {
		wanted = n
	}
	for round, kills := 1, 0; kills < wanted; {
		web, behind := m.i.startFew("PORT"), m.i.startFew("PORT2")
		for end := round + 20; round < end && kills < wanted; round++ {
			what := m.round()
			kills += what.kills
			eventually(t, "all started", m.start)
			slate.awaitClean(fmt.Sprintf("round %d: %s", round, what))
		}
		web.stop(t, refused, late)
		behind.stop(t, refused, late)
		if t.Failed() {
			t.Fatalf("after round %d: %v", round-1, m.killed)
		}
	}
	t.Logf("killed: %v", m.killed)
	m.i.mustStop()
	m.i.mustBeNothing()
}

// mayhem is what happens to an instance.
type mayhem struct {
	t      *testing.T
	i      *instance
	random *rand.Rand
	killed map[string]int
}

func (m *mayhem) seed() uint64 {
	seed, err := strconv.ParseUint(os.Getenv("GATEWAYD_TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	m.t.Logf("GATEWAYD_TEST_SEED=%d", seed)
	return seed
}

// happened is one round.
type happened struct {
	doing string
	kills int
	whom  []string
}

func (h happened) String() string { return fmt.Sprintf("%s, and killed %v", h.doing, h.whom) }

// round has something going on and kills meanwhile.
func (m *mayhem) round() (h happened) {
	doing := [][]string{
		{"deploy", "web", "--rootfs", m.i.dir + "/two"}, {"deploy", "web", "--rootfs", m.i.values["ROOTFS"], "--canary", "50%", "--for", "100ms"},
		{"rollback", "web"}, {"restart", "web"}, {"restart", "behind"}, {"restart", "forks"}, {"stop", "forks"}, {"start", "forks"},
		{"reload"}, {"reexec"}, {"status"}, {"digest", "web"},
	}[m.random.IntN(12)]
	command := m.i.command(doing...)
	must(m.t, command.Start())
	h.doing = strings.Join(doing, " ")
	for range 1 + m.random.IntN(3) {
		time.Sleep(time.Duration(m.random.IntN(150_000)) * time.Microsecond) // a moment, not a wait for anything
		kind, whom := m.victim()
		if whom.pid <= 1 || kill(whom.pid, syscall.SIGKILL) != nil {
			continue // it has ended by itself
		}
		h.kills++
		h.whom = append(h.whom, fmt.Sprintf("%s %s", kind, whom))
		m.killed[kind]++
	}
	_ = command.Wait() // killed meanwhile, or told that gatewayd is away
	return h
}

func (m *mayhem) victim() (kind string, whom process) {
	switch n := m.random.IntN(10); {
	case n < 5:
		return "gatewayd", process{pid: m.i.mainPid()}
	case n < 7:
		if inits := m.among(func(p process) bool { return isInit(p.pid) }); inits.pid > 0 {
			return "container", inits
		}
	}
	return "process", m.among(func(process) bool { return true })
}

// among picks one of the instance's processes.
func (m *mayhem) among(is func(process) bool) process {
	var some []process
	for _, p := range m.i.all() {
		if is(p) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return process{}
	}
	return some[m.random.IntN(len(some))]
}

// start starts what an operator's stop has left stopped.
func (m *mayhem) start() error {
	states, err := m.i.states()
	for name, s := range states {
		if s.Phase == "stopped" {
			m.i.gatewayd("start", name)
		}
	}
	return err
}
