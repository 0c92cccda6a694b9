package config

import (
	"os"
	"strings"
	"testing"
)

// TestAdvice compares the advice for each gateway of testdata/advice.toml with
// the golden file.
func TestAdvice(t *testing.T) {
	var b strings.Builder
	for _, g := range load(t, "testdata/advice.toml").Gateways {
		for _, advice := range g.Advice() {
			b.WriteString(g.Name + ": " + advice + "\n")
		}
	}
	compareGolden(t, "testdata/advice.golden", b.String())
}

// TestNoAdviceForTheExamples: who copies them shall not be warned.
func TestNoAdviceForTheExamples(t *testing.T) {
	for _, path := range glob(t, configs+"*.toml") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(path, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range c.Gateways {
			compare(t, []string(nil), g.Advice())
		}
	}
}
