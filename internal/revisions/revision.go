package revisions

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/gatewayd/gatewayd/internal/config"
)

// Outcome is what became of a revision.
type Outcome string

const (
	UnderWay    Outcome = ""
	Served      Outcome = "served" // it was ready, and got all new connections
	Failed      Outcome = "failed" // it never did
	RolledBack  Outcome = "rolled back"
	Interrupted Outcome = "interrupted" // gatewayd ended, or something else was asked for, before it was known
)

// Revision is one thing that was deployed.
type Revision struct {
	Number  int       `json:"number"`
	When    time.Time `json:"when"`
	Why     string    `json:"why"`
	Digest  string    `json:"digest,omitempty"` // of the source, as the launch found it
	Outcome Outcome   `json:"outcome,omitempty"`
	Cause   string    `json:"cause,omitempty"` // of Failed and RolledBack

	Deployed json.RawMessage `json:"deployed"`       // a config.Gateway
	File     json.RawMessage `json:"file,omitempty"` // what the file said, if that is something else
}

// Gateway is what was deployed. What the gatewayd that wrote it down did not
// know of is as in file, the table as it is now.
func (r Revision) Gateway(file config.Gateway) (config.Gateway, error) {
	return decode(r.Deployed, file)
}

// table is what the file said.
func (r Revision) table(file config.Gateway) (config.Gateway, error) {
	if r.File == nil {
		return decode(r.Deployed, file)
	}
	return decode(r.File, file)
}

// Differs tells whether something else was deployed than the file said.
func (r Revision) Differs() bool { return r.File != nil }

func encode(g config.Gateway) json.RawMessage {
	text, err := json.Marshal(g)
	if err != nil {
		panic(err) // a config.Gateway has only values that JSON knows; a test holds that
	}
	return text
}

// decode reads what encode wrote over the values of base.
func decode(text json.RawMessage, base config.Gateway) (config.Gateway, error) {
	g := base
	detach(reflect.ValueOf(&g).Elem())
	if err := json.Unmarshal(text, &g); err != nil {
		return base, fmt.Errorf("read gateway: %w", err)
	}
	return g, nil
}

// detach lets go of the slices and maps in v: Unmarshal would write into them,
// and they are another gateway's, too.
func detach(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		v.SetZero()
	case reflect.Struct:
		for i := range v.NumField() {
			detach(v.Field(i))
		}
	}
}
