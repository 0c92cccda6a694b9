package bundle

import (
	"context"
	"os"
	"time"
)

// An examineWork is what a survey in a user namespace has to do.
type examineWork struct {
	Now     time.Time
	Source  string
	Options SurveyOptions
}

// examineInNamespace reads what its owner alone may not. A directory that nobody
// may search cannot be handed out as a descriptor to look into, so that all of it
// is done there.
func examineInNamespace(ctx context.Context, now time.Time, source string, o SurveyOptions) (*Survey, error) {
	if len(o.IDs.UIDs) == 0 || len(o.IDs.GIDs) == 0 {
		o.IDs = SingleID(os.Geteuid(), os.Getegid())
	}
	s, err := inNamespace[Survey](ctx, o.Helper, o.IDs, "examine", examineWork{now, source, o})
	if err != nil {
		return nil, err
	}
	for i := range s.Owners {
		s.Owners[i].UID = outside(o.IDs.UIDs, s.Owners[i].UID)
		s.Owners[i].GID = outside(o.IDs.GIDs, s.Owners[i].GID)
	}
	return &s, nil
}

// outside is the id of the host that reads as id in a user namespace. That of
// somebody who has none in there is not known.
func outside(ranges []IDRange, id uint32) uint32 {
	if host, ok := toHost(ranges, id); ok && id != overflowID {
		return host
	}
	return overflowID
}

func examineInside(ctx context.Context, w examineWork) (Survey, error) {
	s, err := examineHere(ctx, w.Now, w.Source, w.Options)
	if err != nil {
		return Survey{}, err
	}
	return *s, nil
}
