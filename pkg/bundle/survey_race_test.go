package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A generation of the tree that a writer goes through: all of its parts say the
// number, and while it goes from one to the next they do so from the first on.
const (
	raceParts       = 6
	raceGenerations = 5
)

func partPath(root string, part int) string {
	return filepath.Join(root, fmt.Sprintf("%d/d", part), "part")
}

// raceStates are the digests of all states that the tree is ever in.
func raceStates(t *testing.T, dir string) map[string]bool {
	t.Helper()
	states := map[string]bool{}
	root := filepath.Join(dir, "states")
	raceTree(t, root)
	for g := range raceGenerations {
		for part := range raceParts {
			must(t, os.WriteFile(partPath(root, part), []byte{byte('0' + (g+1)%raceGenerations)}, 0))
			states[digestOf(t, root)] = true
		}
	}
	return states
}

func raceTree(t *testing.T, root string) {
	t.Helper()
	for part := range raceParts {
		path := partPath(root, part)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("0"), 0o644))
	}
	must(t, os.Chmod(root, 0o755))
}

// ways to change a part. Each is one step: nobody sees it half done.
var raceWays = map[string]func(t *testing.T, dir, path string, content byte) error{
	"write": func(_ *testing.T, _, path string, content byte) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteAt([]byte{content}, 0)
		return errors.Join(err, file.Close())
	},
	"rename": func(_ *testing.T, dir, path string, content byte) error {
		aside := filepath.Join(dir, "aside")
		return first(os.WriteFile(aside, []byte{content}, 0o644), os.Rename(aside, path))
	},
	"directory": func(_ *testing.T, dir, path string, content byte) error {
		aside := filepath.Join(dir, "aside")
		return first(os.Mkdir(aside, 0o755), os.WriteFile(filepath.Join(aside, "part"), []byte{content}, 0o644),
			unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, filepath.Dir(path), unix.RENAME_EXCHANGE), os.RemoveAll(aside))
	},
}

// A tree that changes while it is examined has the digest of a state in which it
// was, or none.
func TestExamineWhileItChanges(t *testing.T) {
	wanted := 60
	if os.Getenv("GATEWAYD_TEST_LONG") != "" {
		wanted = 5_000
	}
	for what, change := range raceWays {
		t.Run(what, func(t *testing.T) {
			dir := scratch(t)
			source, states := filepath.Join(dir, "source"), raceStates(t, dir)
			raceTree(t, source)
			stop := writeGenerations(t, func(part int, content byte) error {
				return change(t, dir, partPath(source, part), content)
			})
			o := SurveyOptions{Cache: filepath.Join(dir, "cache"), Workers: 2}
			var accepted, refused int
			for accepted < wanted && refused < 20*wanted {
				s, err := Examine(context.Background(), source, o)
				switch {
				case err == nil && !states[s.Digest]:
					t.Errorf("digest of a state that never was, after %d that were", accepted)
					refused = 20 * wanted
				case err == nil:
					accepted++
				case errors.Is(err, ErrChanged) && strings.Contains(err.Error(), source):
					refused++
				default:
					t.Fatal(err)
				}
			}
			stop()
			t.Logf("%d accepted, %d refused", accepted, refused)
			if s := examineNow(t, source, o); s.Digest != digestOf(t, source) {
				t.Errorf("then digest %s, want %s", s.Digest, digestOf(t, source))
			}
		})
	}
}

// A meddler is a context that changes something at one look at it.
type meddler struct {
	context.Context
	left   atomic.Int64
	meddle func()
}

func (c *meddler) Err() error {
	if c.left.Add(-1) == -1 {
		c.meddle()
	}
	return nil
}

// A file that is changed while it is read is refused, even if all of the tree is
// so old that no second look is taken.
func TestExamineWhileAFileIsRead(t *testing.T) {
	old, young := bytes.Repeat([]byte("a"), 5<<20), bytes.Repeat([]byte("b"), 5<<20)
	for looks := int64(0); ; looks++ {
		source := scratch(t)
		path := filepath.Join(source, "large")
		must(t, os.WriteFile(path, old, 0o600))
		before := digestOf(t, source)
		ctx := &meddler{Context: context.Background(), meddle: func() { must(t, os.WriteFile(path, young, 0)) }}
		ctx.left.Store(looks)
		s, err := examine(ctx, time.Now().Add(time.Hour), source, SurveyOptions{Workers: 1})
		switch {
		case err != nil && !errors.Is(err, ErrChanged):
			t.Fatal(err)
		case err == nil && s.Digest != before && s.Digest != digestOf(t, source):
			t.Fatalf("changed at look %d: the digest of what never was", looks)
		case ctx.left.Load() >= 0:
			if looks < 7 {
				t.Errorf("looked at its context %d times only", looks)
			}
			return
		}
	}
}

// So is a directory in whose place there is another one by then.
func TestExamineWhileADirectoryIsExchanged(t *testing.T) {
	for looks := int64(0); ; looks++ {
		source := scratch(t)
		one, two := filepath.Join(source, "one"), filepath.Join(source, "two")
		must(t, os.Mkdir(one, 0o755), os.Mkdir(two, 0o700), os.WriteFile(filepath.Join(one, "file"), nil, 0o600))
		before := digestOf(t, source)
		ctx := &meddler{Context: context.Background(), meddle: func() {
			must(t, unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, two, unix.RENAME_EXCHANGE))
		}}
		ctx.left.Store(looks)
		s, err := examine(ctx, time.Now().Add(time.Hour), source, SurveyOptions{Workers: 1})
		switch {
		case err != nil && !errors.Is(err, ErrChanged):
			t.Fatal(err)
		case err == nil && s.Digest != before && s.Digest != digestOf(t, source):
			t.Fatalf("exchanged at look %d: the digest of what never was", looks)
		case ctx.left.Load() >= 0:
			if looks < 4 {
				t.Errorf("looked at its context %d times only", looks)
			}
			return
		}
	}
}

// Where time goes in steps, what is changed again within one leaves no trace: a
// look is one at which no step was still going on.
func TestLookWaitsForTheClock(t *testing.T) {
	now := time.Now()
	x := newExamination(context.Background(), nil, now, SurveyOptions{})
	see := func(change bool) (func() (sighting, error), *int64) {
		var looks int64
		return func() (sighting, error) {
			s := sighting{stamp: stamp{ctime: now.UnixNano()}}
			if looks++; change || looks < 3 {
				s.ctime = time.Now().Add(time.Second).UnixNano() + looks
			}
			return s, nil
		}, &looks
	}
	calm, looks := see(false)
	if s, err := x.look(calm); err != nil || s.ctime != now.UnixNano() || *looks != 3 {
		t.Errorf("%v, error %v after %d looks", s.ctime, err, *looks)
	}
	restless, looks := see(true)
	if _, err := x.look(restless); !errors.Is(err, ErrChanged) || *looks < 3 {
		t.Errorf("error %v after %d looks", err, *looks)
	}
}

// writeGenerations goes on until it is stopped, with pauses of any length between
// two steps, so that some surveys come through and some do not.
func writeGenerations(t *testing.T, write func(part int, content byte) error) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	done := make(chan error)
	go func() {
		for g := 1; ; g++ {
			for part := range raceParts {
				if stopped.Load() {
					done <- nil
					return
				}
				if err := write(part, byte('0'+g%raceGenerations)); err != nil {
					done <- err
					return
				}
				time.Sleep(time.Duration(g*part%7) * time.Duration(g%11) * time.Millisecond) // the pace of the race, nothing waits for it
			}
		}
	}()
	return func() {
		stopped.Store(true)
		must(t, <-done)
	}
}
