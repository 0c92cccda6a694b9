package main

import (
	"fmt"
	"io"
	"strings"
)

// printer prints what go test prints without -v and -json. What a test says is
// kept until it is known whether it failed.
type printer struct {
	out  io.Writer
	said map[test][]string
}

func (p *printer) take(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Fprint(p.out, e.Output)
	case e.Action == "output" && strings.HasPrefix(e.Output, "=== "): // only for -v
	case e.Action == "output" && e.Test != "":
		p.said[e.test()] = append(p.said[e.test()], e.Output)
	case e.Action == "output" && e.Output != "PASS\n":
		fmt.Fprint(p.out, e.Output)
	case e.Action == "fail" && e.Test != "":
		fmt.Fprint(p.out, strings.Join(p.said[e.test()], ""))
		delete(p.said, e.test())
	case e.Action == "fail":
		p.unfinished(e.Package)
	case e.Action == "pass" || e.Action == "skip":
		delete(p.said, e.test())
	}
}

// unfinished prints the words of tests that a panic or a timeout cut off: they
// have no end of their own.
func (p *printer) unfinished(pkg string) {
	for t, said := range p.said {
		if t.Package == pkg {
			fmt.Fprint(p.out, strings.Join(said, ""))
			delete(p.said, t)
		}
	}
}
