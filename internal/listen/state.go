package listen

import (
	"fmt"
	"os"
	"slices"
)

// State is what another image of this process has to know of a port besides its sockets.
type State struct {
	Steered int   `json:"steered"`
	Held    []int `json:"held"`   // to be taken over with Hold
	Places  []int `json:"places"` // of the sockets in their group
}

// State is that of now. A canary has no place in it.
func (p *Port) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := State{Steered: p.serving}
	for n, m := range p.members {
		s.Places = append(s.Places, m.place)
		if m.held {
			s.Held = append(s.Held, n)
		}
	}
	return s
}

// Files are copies of the sockets by the names under which an Open of another image looks
// for them in its Sockets.
func (p *Port) Files() (map[string][]*os.File, error) {
	files := map[string][]*os.File{}
	for _, m := range p.members {
		f, err := p.file(m)
		if err != nil {
			for _, f := range files {
				f[0].Close()
			}
			return nil, err
		}
		files[p.keptAs(m)] = []*os.File{f}
	}
	return files, nil
}

// resume begins where an earlier gatewayd ended: which slots are held its State says, or
// there are none, and then the longest queue is where new connections went.
func (p *Port) resume(s *State) error {
	if s == nil {
		p.serving = p.longest()
		return nil
	}
	if s.Steered < 0 || s.Steered >= slots || len(s.Places) != len(p.members) {
		return fmt.Errorf("take over %s: its state is of another kind of port", p.at)
	}
	p.serving = s.Steered
	for n, m := range p.members {
		m.place, m.held = s.Places[n], slices.Contains(s.Held, n)
	}
	return nil
}

func (p *Port) longest() (slot int) {
	most := 0
	for n, m := range p.members[:slots] {
		if q := queued(m.fd); q > most {
			slot, most = n, q
		}
	}
	return slot
}
