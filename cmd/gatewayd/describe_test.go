package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/journal"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// Every kind of event has an id in the journal and words of its own.
func TestEveryEventIsDescribed(t *testing.T) {
	said := map[string]supervisor.EventKind{}
	for _, kind := range supervisor.EventKinds() {
		if !slices.Contains(journal.Events(), string(kind)) {
			t.Errorf("%s has no MESSAGE_ID", kind)
		}
		event := supervisor.Event{Gateway: "web", Kind: kind, Launch: 7, Next: time.Unix(0, 0), Cause: errors.New("why")}
		_, words := describe(event)
		if strings.Contains(words, string(kind)) || !strings.HasPrefix(words, "web ") {
			t.Errorf("%s is described as %q", kind, words)
		}
		if other, ok := said[words]; ok {
			t.Errorf("%s and %s are both described as %q", kind, other, words)
		}
		said[words] = kind
	}
}
