package supervisor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// effectful lists the files that may do more than decide. Every other one is part of the pure machine.
var effectful = map[string]string{
	"launcher.go":   "the interfaces that calls go through have contexts",
	"loop.go":       "turns the machine: clock, timer, random numbers",
	"calls.go":      "carries out calls in goroutines",
	"head.go":       "has calls wait for each other",
	"asking.go":     "waits for answers",
	"supervisor.go": "joins the loops",
	"state_hold.go": "holds the loops for another image of the program",
}

// pureImports is all that the machine may know. syscall is there for the type of a signal.
var pureImports = []string{"errors", "fmt", "math", "slices", "syscall", "time"}

func parse(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	if files["machine.go"] == nil {
		t.Fatal("there is no machine.go")
	}
	return files
}

func TestImports(t *testing.T) {
	for name, file := range parse(t) {
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if strings.Contains(path, ".") {
				t.Errorf("%s imports %s: this package stands on the standard library alone", name, path)
			}
			if _, may := effectful[name]; !may && !slices.Contains(pureImports, path) {
				t.Errorf("%s imports %s: the machine is pure", name, path)
			}
		}
	}
}

// The machine takes the time as a parameter, starts nothing, and waits for nothing.
func TestMachineIsPure(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	for name, file := range parse(t) {
		if _, may := effectful[name]; may {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s uses time.%s", name, n.Sel.Name)
				}
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "syscall" && !strings.HasPrefix(n.Sel.Name, "S") {
					t.Errorf("%s uses syscall.%s", name, n.Sel.Name)
				}
			case *ast.GoStmt, *ast.SendStmt, *ast.SelectStmt:
				t.Errorf("%s starts or waits for something", name)
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					t.Errorf("%s receives", name)
				}
			}
			return true
		})
	}
}

// State, phase, stage and their deadlines change only in the three functions enter.
func TestOnlyEnterChangesState(t *testing.T) {
	guarded := []string{"state", "phase", "stage", "deadline", "since"}
	found := 0
	for name, file := range parse(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				assign, ok := n.(*ast.AssignStmt)
				if !ok {
					return true
				}
				for _, left := range assign.Lhs {
					s, ok := left.(*ast.SelectorExpr)
					if !ok || !slices.Contains(guarded, s.Sel.Name) {
						continue
					}
					found++
					if f.Name.Name != "enter" {
						t.Errorf("%s: %s assigns %s", name, f.Name.Name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
	if found == 0 {
		t.Error("nothing found: this test looks at the wrong names")
	}
}

// constantsOf returns the values of the string constants in a file.
func constantsOf(t *testing.T, name string) []string {
	var values []string
	ast.Inspect(parse(t)[name], func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, spec := range decl.Specs {
			for _, v := range spec.(*ast.ValueSpec).Values {
				value, _ := strconv.Unquote(v.(*ast.BasicLit).Value)
				values = append(values, value)
			}
		}
		return false
	})
	return values
}
