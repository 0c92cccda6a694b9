package main

import (
	"encoding/json"
	"errors"
	"io"
)

// event is one line of go test -json: see go doc test2json, and go help
// buildjson for the build's, which have ImportPath in place of Package.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type test struct{ Package, Name string }

func (e event) test() test { return test{e.Package, e.Test} }

type consumer interface{ take(event) }

// follow hands every event of r to c, as it comes.
func follow(r io.Reader, c consumer) error {
	decoder := json.NewDecoder(r)
	for {
		var e event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		c.take(e)
	}
}
