package bundle

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func examineOnce(t rapid.TB, source string, o SurveyOptions) *Survey {
	t.Helper()
	s, err := Examine(context.Background(), source, o)
	must(t, err)
	return s
}

func TestDigestIsAsDocumented(t *testing.T) {
	dir := scratch(t)
	source := filepath.Join(dir, "source")
	must(t, os.Mkdir(source, 0o755))
	hostileTree(t, source)
	want := digestOf(t, source)
	for workers := range 5 {
		if s := examineOnce(t, source, SurveyOptions{Workers: workers}); s.Digest != want {
			t.Errorf("%d workers: %s, want %s", workers, s.Digest, want)
		}
	}
}

// Any tree has the digest that the documentation says, with a cache and without
// one, and so has its copy.
func TestDigestOfAnyTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "bundle-digest-")
		must(rt, err)
		defer os.RemoveAll(dir)
		source, dest, cache := filepath.Join(dir, "source"), filepath.Join(dir, "dest"), filepath.Join(dir, "cache")
		must(rt, os.Mkdir(source, 0o755))
		grow(rt, source)
		want := digestOf(rt, source)
		must(rt, only(Copy(context.Background(), source, dest, CopyOptions{KeepSetuid: true})))
		for _, o := range []SurveyOptions{{}, {Cache: cache}, {Cache: cache}, {Cache: cache, Content: ContentAll, Workers: 7}} {
			for _, tree := range []string{source, dest} {
				if s := examineOnce(rt, tree, o); s.Digest != want {
					rt.Fatalf("digest %s of %s with %+v, want %s", s.Digest, tree, o, want)
				}
			}
		}
	})
}
