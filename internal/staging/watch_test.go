package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

func survey(state byte, digest string) *bundle.Survey {
	return &bundle.Survey{State: [32]byte{state}, Digest: digest}
}

// What is news, and what was told already.
func TestJudge(t *testing.T) {
	gone, broken := fmt.Errorf("look: %w", fs.ErrNotExist), errors.New("too many open files")
	changes := fmt.Errorf("look: %w", bundle.ErrChanged)
	one, touched, two := survey(1, "one"), survey(2, "one"), survey(3, "two")
	for name, test := range map[string]struct {
		base  *bundle.Survey
		looks []any // *bundle.Survey or error
		want  []News
	}{
		"nothing happens":       {nil, []any{one, one, one}, []News{{Digest: "one", Was: "one"}}},
		"pinned, nothing":       {one, []any{one, one}, nil},
		"changes once":          {nil, []any{one, two, two}, []News{{Digest: "one", Was: "one"}, {Digest: "two", Changed: true, Was: "one"}}},
		"pinned, changed":       {one, []any{two}, []News{{Digest: "two", Changed: true, Was: "one"}}},
		"touched":               {one, []any{touched}, []News{{Digest: "one", Changed: true, Was: "one"}}},
		"changes twice":         {one, []any{two, touched}, []News{{Digest: "two", Changed: true, Was: "one"}, {Digest: "one", Changed: true, Was: "one"}}},
		"changes back":          {one, []any{two, one}, []News{{Digest: "two", Changed: true, Was: "one"}, {Digest: "one", Was: "one"}}},
		"goes":                  {one, []any{gone, gone}, []News{{Changed: true, Was: "one", Err: gone}}},
		"changes and goes":      {one, []any{changes, changes, gone, gone}, []News{{Changed: true, Was: "one", Err: changes}, {Changed: true, Was: "one", Err: gone}}},
		"goes and comes":        {one, []any{gone, one, one}, []News{{Changed: true, Was: "one", Err: gone}, {Digest: "one", Was: "one"}}},
		"a look that fails":     {one, []any{broken, one}, []News{{Was: "one", Err: broken}, {Digest: "one", Was: "one"}}},
		"cannot be seen at all": {nil, []any{gone, gone, one}, []News{{Err: gone}, {Digest: "one", Was: "one"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watch{base: test.base, shown: test.base}
			var got []News
			for _, look := range test.looks {
				s, _ := look.(*bundle.Survey)
				err, _ := look.(error)
				if news, ok := w.judge(s, err); ok {
					got = append(got, news)
				}
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
