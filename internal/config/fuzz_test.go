package config

import (
	"os"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// FuzzParse: no text makes Parse panic; a fault is always one line with a place
// in the text; what TOML's own decoder refuses is refused here; and what is
// accepted is so again, with the same revisions.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/faults/*.toml", "testdata/forms/*.toml", "testdata/every-key.toml", "testdata/advice.toml", configs + "*.toml"} {
		for _, path := range glob(f, pattern) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.toml", data)
		if err != nil {
			checkFaults(t, data, err)
			return
		}
		var any map[string]any
		if err := toml.Unmarshal(data, &any); err != nil {
			t.Errorf("accepted, but TOML says: %v", err)
		}
		again, err := Parse("f.toml", data)
		if err != nil {
			t.Fatalf("a second time: %v", err)
		}
		for i, g := range c.Gateways {
			if g.Revision() != again.Gateways[i].Revision() {
				t.Errorf("gateway %q has two revisions", g.Name)
			}
		}
	})
}
