package main

import (
	"slices"
	"testing"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/launch"
)

// knows lists what the launcher can still be asked for, by what Prepare says.
func (d *defined) knows(t *testing.T) (known []string) {
	t.Helper()
	for revision := range d.revisions {
		known = append(known, revision)
	}
	slices.Sort(known)
	return known
}

func TestWhatIsNotWantedIsForgotten(t *testing.T) {
	d := newDefined(launch.NewLauncher(&launch.Host{}))
	var releases []func()
	for _, revision := range []string{"1", "2", "3"} {
		release, err := d.add(revision, config.Gateway{Name: "web", Workdir: "/" + revision})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	keep := func(serving, comes, comeBack string) {
		d.keep(func() (wanted, bool) { return wanted{serving, comes, comeBack}, serving != "" })
	}

	releases[0]()
	releases[1]()
	keep("1", "", "")
	if known := d.knows(t); !slices.Equal(known, []string{"1", "2", "3"}) {
		t.Errorf("while 3 is on its way %v are known", known)
	}
	releases[2]()
	keep("", "", "")   // of a gateway that is gone: nobody knows what is wanted
	keep("9", "1", "") // what serves must be known
	keep("1", "2", "3")
	if known := d.knows(t); !slices.Equal(known, []string{"1", "2", "3"}) {
		t.Errorf("%v are known", known)
	}
	keep("1", "", "2")
	if known := d.knows(t); !slices.Equal(known, []string{"1", "2"}) {
		t.Errorf("%v are known", known)
	}
	if g := d.get("2"); g.Workdir != "/2" {
		t.Errorf("2 is %+v", g)
	}
	if g := d.get("3"); g.Workdir != "/1" {
		t.Errorf("what is forgotten is told as %+v, not as what serves", g)
	}
}
