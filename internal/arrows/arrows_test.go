// Package arrows holds no code. Its test holds the arrows between the packages
// of gatewayd: who may import whom, and why.
package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatewayd/gatewayd/"

// arrow is one allowed import of a package of ours by another one.
type arrow struct{ from, to, why string }

// A package that is not in the first column imports nothing of ours. The three
// libraries in pkg do not know each other: they are for others to use one by one.
var arrows = []arrow{
	{"internal/launch", "pkg/supervisor", "implements its Launcher"},
	{"internal/launch", "pkg/bundle", "stages what it launches"},
	{"internal/launch", "pkg/runtime", "drives the runtime with what was staged"},
	{"internal/launch", "internal/staging", "has it make the root of each launch"},
	{"internal/launch", "internal/secrets", "reads what is secret for each launch"},
	{"internal/launch", "internal/config", "is given the checked values of a gateway"},
	{"internal/launch", "internal/probe", "makes the prober of a launch, whose files it knows"},
	{"internal/launch", "internal/journal", "sends the output of a launch there"},
	{"internal/launch", "internal/inside", "calls the sub-commands that run inside of a container"},
	{"internal/launch", "internal/seccomp", "makes the container's filter for exec probes, too"},
	{"internal/launch", "internal/listen", "gives each launch a slot of the gateway's ports"},
	{"internal/launch", "internal/posture", "has it read back how a launch is isolated"},
	{"internal/launch", "internal/proxy", "relays to launches that cannot inherit a socket"},
	{"internal/secrets", "internal/redact", "refuses what could not be told from other text"},
	{"internal/secrets", "internal/config", "is told where a secret comes from"},
	{"internal/launch", "internal/redact", "has what may show a secret redacted"},
	{"internal/staging", "pkg/bundle", "decides how its engine is used"},
	{"internal/staging", "internal/config", "is given what an operator asks of staging"},
	{"internal/journal", "internal/redact", "shows no secret"},
	{"internal/probe", "internal/redact", "shortens what a gateway says, which must be without secrets before"},
	{"internal/control", "internal/redact", "answers with no secret"},
	{"internal/systemd", "internal/redact", "has no secret in STATUS="},
	{"internal/revisions", "internal/config", "keeps gateways as they were deployed"},
	{"internal/inside", "internal/seccomp", "puts an exec probe under that filter"},

	{"cmd/gatewayd", "pkg/supervisor", "wires the gateways to it"},
	{"cmd/gatewayd", "pkg/bundle", "is the process that stages what the user cannot read"},
	{"cmd/gatewayd", "pkg/runtime", "finds the runtime and enters the cgroup"},
	{"cmd/gatewayd", "internal/config", "loads the file"},
	{"cmd/gatewayd", "internal/launch", "joins the three libraries for each gateway"},
	{"cmd/gatewayd", "internal/secrets", "checks what is secret, and wipes it from its environment"},
	{"cmd/gatewayd", "internal/posture", "tells of what was found of a gateway's isolation"},
	{"cmd/gatewayd", "internal/probe", "wiring"},
	{"cmd/gatewayd", "internal/listen", "hands over the sockets that systemd keeps"},
	{"cmd/gatewayd", "internal/revisions", "keeps the history of each gateway"},
	{"internal/metrics", "pkg/supervisor", "counts its events and shows its status"},
	{"cmd/gatewayd", "internal/metrics", "tells programs how the gateways do"},
	{"cmd/gatewayd", "internal/held", "keeps what held gateways wait for"},
	{"cmd/gatewayd", "internal/handover", "replaces the running daemon by another binary"},
	{"cmd/gatewayd", "internal/control", "serves and asks the control socket"},
	{"cmd/gatewayd", "internal/journal", "builds the logger"},
	{"cmd/gatewayd", "internal/redact", "has one set of secrets for all that it writes"},
	{"cmd/gatewayd", "internal/systemd", "tells systemd of readiness"},
	{"cmd/gatewayd", "internal/example", "is the example gateway, too"},
	{"cmd/gatewayd", "internal/inside", "is the program inside of a container, too"},
}

// everywhere is what any package may use: it is nothing in a usual build.
const everywhere = "internal/step"

// inTests are what the tests of any package may use besides its own arrows.
var inTests = []string{"internal/testenv", "internal/fakeruntime"}

// source is one Go file of the module.
type source struct {
	file    string // relative to the root of the module
	pkg     string // its directory, with slashes
	imports []string
}

func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.pkg, "test/") {
			continue // programs and tests around the product, in no other one's way
		}
		for _, imported := range s.imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours || to == s.pkg { // an external test imports its own package
				continue
			}
			if to == everywhere || strings.HasSuffix(s.file, "_test.go") && slices.Contains(inTests, to) {
				continue
			}
			if !allowed(s.pkg, to) {
				t.Errorf("%s: %s may not import %s; if it must, the table wants a row with the reason", s.file, s.pkg, to)
			}
		}
	}
}

func allowed(from, to string) bool {
	return slices.ContainsFunc(arrows, func(a arrow) bool { return a.from == from && a.to == to && a.why != "" })
}

// sources reads every Go file of the module, whatever its build constraints.
func sources(t *testing.T) []source {
	t.Helper()
	root := os.DirFS(moduleRoot(t))
	var all []source
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && file != "." && (name == "testdata" || name[0] == '.' || name[0] == '_') {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(file) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		all = append(all, source{file, path.Dir(file), imports(t, tree)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func imports(t *testing.T, tree *ast.File) []string {
	t.Helper()
	var list []string
	for _, spec := range tree.Imports {
		text, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return list
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
