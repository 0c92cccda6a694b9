package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"unicode"
)

// chronicle is what the journal has told of an instance: of each gatewayd that it
// began how it ended, and of each launch what became of it.
type chronicle struct {
	i      *instance
	cursor string            // of the last record that was read
	begun  map[string]bool   // gatewayds by their invocation of the unit
	ready  map[string]bool   // the same
	ended  map[string]bool   // the same
	last   map[string]string // event of each launch, by its id
	by     map[string]string // invocation that it was a launch of
}

func newChronicle(i *instance) *chronicle {
	return &chronicle{
		i: i, begun: map[string]bool{}, ready: map[string]bool{}, ended: map[string]bool{}, last: map[string]string{}, by: map[string]string{},
	}
}

// processExit is the MESSAGE_ID by which systemd tells of the end of a unit's
// process (sd-messages.h).
const processExit = "98e322203f7a4ed290d09fe03c09fe15"

// lastWords are the events after which nothing more is owed of a launch.
var lastWords = []string{"launch-ended", "launch-cleaned", "sweep-cleaned", "standby-lost"}

// tells returns an error unless the journal says how each earlier gatewayd has
// ended, and what became of each launch that lives no more.
func (c *chronicle) tells(live []string) error {
	if err := c.read(); err != nil {
		return err
	}
	current := c.i.property("InvocationID")
	for invocation := range c.begun {
		if invocation != current && !c.ended[invocation] {
			return fmt.Errorf("the journal does not say how the gatewayd of invocation %s ended", invocation)
		}
	}
	for id, event := range c.last {
		if !slices.Contains(live, id) && !slices.Contains(lastWords, event) {
			return fmt.Errorf("the journal does not say what became of %s after %s", id, event)
		}
	}
	return nil
}

// read takes in what is new.
func (c *chronicle) read() error {
	from := fmt.Sprintf("--since=@%.6f", float64(c.i.began.UnixMicro())/1e6)
	if c.cursor != "" {
		from = "--after-cursor=" + c.cursor
	}
	args := append(c.i.journalOf(), from, "--output=json", "--all", "--no-pager")
	out, err := exec.Command("journalctl", args...).Output()
	if err != nil {
		return fmt.Errorf("journalctl: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return fmt.Errorf("journalctl says %q: %w", line, err)
		}
		if err := c.note(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *chronicle) note(r record) error {
	c.cursor = r.field("__CURSOR")
	event, id := r.field("EVENT"), r.field("CONTAINER_ID")
	if strings.ContainsFunc(r.message(), unicode.IsControl) && event != "" {
		return fmt.Errorf("the journal has control characters: %q", r.message())
	}
	if r.field("MESSAGE_ID") == processExit {
		c.exit(r)
		return nil
	}
	invocation := r.field("_SYSTEMD_INVOCATION_ID")
	switch {
	case event == "daemon-started" && invocation == "":
		// It was killed before journald had a look at it.
	case event == "daemon-started":
		c.begun[invocation] = true
	case event == "daemon-ready":
		c.ready[invocation] = true
	case event == "daemon-stopped":
		c.ended[invocation] = true
	case event == "sweep-cleaned" && id != "":
		c.last[id] = event
	case id != "" && isOfALife(event):
		c.last[id], c.by[id] = event, invocation
	}
	return nil
}

// exit notes the end of one of the unit's processes. What is killed while it may be
// sweeping, as a reap or a gatewayd that was not up yet, can no longer say of what
// it has removed that it did: that it was killed has to do.
func (c *chronicle) exit(r record) {
	invocation := r.field("USER_INVOCATION_ID") + r.field("INVOCATION_ID") // one of them, as the manager is a user's or the system's
	killed := r.field("EXIT_CODE") == "killed"
	switch command := r.field("COMMAND"); {
	case command == "ExecStopPost" && killed:
		c.excuse("")
	case command == "ExecStart":
		c.ended[invocation] = true
		if killed && !c.ready[invocation] {
			c.excuse(invocation)
		}
	}
}

// excuse asks no more of what became of all launches but those of one invocation.
func (c *chronicle) excuse(but string) {
	for id := range c.last {
		if c.by[id] != but {
			delete(c.last, id)
		}
	}
}

// isOfALife says whether an event moves a launch on.
func isOfALife(event string) bool {
	for _, prefix := range []string{"launch-", "standby-", "took-over"} {
		if strings.HasPrefix(event, prefix) {
			return true
		}
	}
	return false
}
