package control

import "time"

// Report is what GET /v1/status answers. Fields are only ever added.
type Report struct {
	Version   string    `json:"version"`
	Pid       int       `json:"pid"`
	Gateways  []Gateway `json:"gateways"`            // sorted by name
	Leftovers []string  `json:"leftovers,omitempty"` // what the sweep at start could not remove, an error each
	Takeover  *Takeover `json:"takeover,omitempty"`  // from an earlier image of the same process; nil: there was none
}

// Takeover is how this image of the daemon has come after another one.
type Takeover struct {
	Count  int       `json:"count"`           // images before this one
	From   string    `json:"from"`            // the version of the last one
	At     time.Time `json:"at"`              // when this one took over
	GapMS  float64   `json:"gap_ms"`          // how long nobody supervised
	Config string    `json:"config,omitzero"` // what was wrong with the configuration then; empty: nothing
}

func (r Report) images() int {
	if r.Takeover == nil {
		return 0
	}
	return r.Takeover.Count
}

// Gateway is the state of one gateway. A field that is left out has no value at
// the moment: there is no container, no launch has ended yet, no wait goes on.
type Gateway struct {
	Name           string    `json:"name"`
	Phase          string    `json:"phase"`
	Since          time.Time `json:"since,omitzero"` // when Phase began
	Ready          bool      `json:"ready"`
	Launch         int       `json:"launch"` // 0: none yet
	Restarts       int       `json:"restarts"`
	Failures       int       `json:"failures"` // in a row
	ID             string    `json:"id,omitempty"`
	Pid            int       `json:"pid,omitempty"` // as the host sees it
	Cause          string    `json:"cause,omitempty"`
	CauseAt        time.Time `json:"cause_at,omitzero"`
	Next           time.Time `json:"next,omitzero"` // when backoff ends
	ProbeError     string    `json:"probe_error,omitempty"`
	Runtime        string    `json:"runtime,omitempty"`
	RuntimeVersion string    `json:"runtime_version,omitempty"`
	RuntimePath    string    `json:"runtime_path,omitempty"`
	RuntimeChanged string    `json:"runtime_changed,omitempty"` // what became of the file that the runtime was copied from
	Posture        string    `json:"posture,omitempty"`
	VerifiedAt     time.Time `json:"verified_at,omitzero"` // when the kernel was last asked and showed it as promised
	Differs        []Finding `json:"differs,omitempty"`    // what it showed otherwise when it was last asked
	Unseen         []string  `json:"unseen,omitempty"`     // what it did not show, and why
	Bare           bool      `json:"bare"`
	Revision       string    `json:"revision,omitempty"`
	Leftovers      []string  `json:"leftovers,omitempty"`      // what could not be cleaned
	Stage          string    `json:"stage,omitempty"`          // overlay or copy: how the root of the launch was made
	StageReason    string    `json:"stage_reason,omitempty"`   // why it was not the other one
	Digest         string    `json:"digest,omitempty"`         // of the source, as the launch found it
	IDs            string    `json:"ids,omitempty"`            // single or range
	SourceChanged  string    `json:"source_changed,omitempty"` // what was changed under a live overlay
	Listens        []Port    `json:"listens,omitempty"`        // in the order of the configuration
	Standby        *Standby  `json:"standby,omitempty"`
	Deploy         *Deploy   `json:"deploy,omitempty"`   // a new revision that does not serve yet
	Draining       []Drain   `json:"draining,omitempty"` // launches that finish what they have
	Drained        *Drained  `json:"drained,omitempty"`  // the last one that did
	Override       string    `json:"override,omitempty"` // why Revision is not what the configuration says
	Provisional    time.Time `json:"provisional_until,omitzero"`
	Previous       string    `json:"previous,omitempty"`    // the revision that would come back
	RolledBack     string    `json:"rolled_back,omitempty"` // why the last deploy was rolled back
	RolledBackAt   time.Time `json:"rolled_back_at,omitzero"`
}

// Ready tells whether every gateway is ready; without any gateway it is.
func (r Report) Ready() bool {
	for _, g := range r.Gateways {
		if !g.Ready {
			return false
		}
	}
	return true
}
