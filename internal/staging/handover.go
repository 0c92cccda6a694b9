package staging

import "github.com/gatewayd/gatewayd/pkg/bundle"

// State is a Staged as another image of this process needs it, to look after the
// tree beneath it as before.
type State struct {
	Mode     string          `json:"mode"`
	Why      string          `json:"why,omitempty"`
	Digest   string          `json:"digest,omitempty"`
	Root     string          `json:"root"`
	Overlay  *bundle.Overlay `json:"overlay,omitempty"`
	Source   string          `json:"source"`
	IDs      bundle.IDMap    `json:"ids"`
	Verify   string          `json:"verify"`
	ReadOnly bool            `json:"read_only,omitempty"`
	Before   *bundle.Survey  `json:"before,omitempty"`
}

// State describes what was staged. No Watch is under way.
func (st *Staged) State() State {
	return State{
		Mode: st.Mode, Why: st.Why, Digest: st.Digest, Root: st.Root, Overlay: st.Overlay,
		Source: st.source.path, IDs: st.ids, Verify: st.verify, ReadOnly: st.readOnly, Before: st.before,
	}
}

// Restore is the Staged that another image has described.
func (s *Stager) Restore(state State) *Staged {
	return &Staged{
		Mode: state.Mode, Why: state.Why, Digest: state.Digest, Root: state.Root, Overlay: state.Overlay,
		source: s.source(state.Source, state.IDs), verify: state.Verify, ids: state.IDs, readOnly: state.ReadOnly, before: state.Before,
	}
}
