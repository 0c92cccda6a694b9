package step

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table names each step of the code, and the code has each step of the table.
func TestTableIsTheCode(t *testing.T) {
	known := make(map[string]bool)
	for _, s := range All {
		if known[s.Name] || s.Changes == "" {
			t.Errorf("%s stands twice in the table, or says nothing", s.Name)
		}
		known[s.Name] = true
	}
	done := make(map[string]bool)
	for _, f := range functions(t) {
		for _, name := range f.steps {
			if done[name] = true; !known[name] {
				t.Errorf("%s: step %s wants a row in the table", f.at, name)
			}
		}
	}
	for name := range known {
		if !done[name] {
			t.Errorf("no code does step %s", name)
		}
	}
}

// changes are calls that change something outside of the process.
var changes = []string{
	"os.Mkdir", "os.MkdirAll", "os.WriteFile", "os.Create", "os.CreateTemp", "os.MkdirTemp", "os.OpenFile", "os.Rename", "os.Remove", "os.RemoveAll",
	"os.Chmod", "os.Chown", "os.Lchown", "os.Chtimes", "os.Symlink", "os.Link", "os.Truncate",
	"root.Mkdir", "root.OpenFile", "root.Rename", "root.RemoveAll", "root.Remove", "root.Chmod", "file.Chmod", "file.Chown", "file.WriteAt", "file.Truncate",
	"unix.Mkdirat", "unix.Openat", "unix.Renameat2", "unix.Unlinkat", "unix.Rmdir", "syscall.Rmdir", "unix.Symlinkat", "unix.Linkat", "unix.Chmod",
	"unix.Fchmod", "unix.Fchown", "unix.Fchownat", "unix.UtimesNanoAt", "unix.Setxattr", "unix.Fsetxattr", "unix.Fremovexattr", "unix.Mount",
	"unix.Bind", "unix.Listen", "unix.Shutdown", "unix.Sendmsg", "unix.SetsockoptSockFprog", "unix.Flock", "unix.Waitid", "unix.Exec", "syscall.Exec",
	"unix.PidfdSendSignal", "unix.Kill", "syscall.Kill", "daemon.SdNotify", "net.ListenUnixgram", "writeControl",
}

// without are functions with such calls and without a step, and why.
var without = []struct {
	why string
	at  []string
}{
	{"a step of who calls it, or of what it calls, is where it changes something", []string{
		"internal/control/listen.go private", "internal/launch/lock.go lock", "internal/launch/ownership.go setMode",
		"internal/launch/ownership.go letPass", "internal/listen/single.go listen", "internal/handover/exec.go Exec",
		"internal/journal/socket.go sendRights", "pkg/bundle/remove_entry.go chmodPlace", "pkg/runtime/pidfd.go waitid",
		"internal/revisions/file.go write", "internal/revisions/file.go discard", "internal/launch/sweep.go discard",
	}},
	{"it is part of a tree that has no name yet: its directory and its publication are steps", []string{
		"pkg/bundle/copy_attributes.go copyXattrs", "pkg/bundle/overlay.go dropMarks", "pkg/bundle/overlay.go makeOverlay",
	}},
	{"it is done in a helper of this process, which ends with it", []string{
		"pkg/bundle/copy_give.go give", "pkg/bundle/namespace_start.go becomeMapped", "pkg/bundle/ids_check.go ownAs",
		"pkg/bundle/namespace_map.go mapOwn",
	}},
	{"it ends its own child, which ends with this process", []string{
		"internal/handover/check.go Check", "internal/launch/enter.go enter", "internal/probe/exec.go ownGroup",
		"internal/probe/exec.go awaitEnd", "pkg/runtime/trust.go askOnce",
		"internal/secrets/exec.go finish", "internal/secrets/exec.go awaitEnd",
	}},
	{"it is a connection of ours, which goes with this process", []string{
		"internal/listen/handshake.go newClient", "internal/proxy/steer.go bindAny", "internal/listen/address.go anyAddress",
	}},
	{"it changes nothing that anybody would find", []string{
		"internal/listen/mend.go SetBacklog", "internal/listen/single.go mendShared", "internal/staging/cache.go touch", "pkg/runtime/identity.go mayEnd",
	}},
	{"it is none of the daemon's", []string{
		"cmd/gatewayd/demo.go stageDemo", "cmd/gatewayd/logs.go logs", "cmd/gatewayd/man.go writeManual",
		"internal/seccomp/gen.go main", "internal/systemd/scope.go StartScope",
	}},
}

// A change without a step is one that no test kills gatewayd after.
func TestEachChangeIsAStep(t *testing.T) {
	excused := make(map[string]bool)
	for _, row := range without {
		for _, at := range row.at {
			excused[at] = true
		}
	}
	for _, f := range functions(t) {
		if len(f.changes) == 0 || len(f.steps) > 0 {
			continue
		}
		if !excused[f.at] {
			t.Errorf("%s calls %s, and does no step; if it needs none, without wants it with the reason", f.at, strings.Join(f.changes, ", "))
		}
		delete(excused, f.at)
	}
	for at := range excused {
		t.Errorf("%s is excused for nothing", at)
	}
}

// function is one of gatewayd's, and what it does.
type function struct {
	at             string // internal/launch/record.go record
	steps, changes []string
}

// functions are those of the program; what runs inside of a container, and what
// tests are made of, changes nothing for gatewayd.
func functions(t *testing.T) (all []function) {
	t.Helper()
	root := os.DirFS("../..")
	for _, dir := range []string{"cmd", "internal", "pkg"} {
		err := fs.WalkDir(root, dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && slices.Contains([]string{"testdata", "testenv", "fakeruntime", "example", "inside", "step"}, d.Name()) {
				return fs.SkipDir
			}
			if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			found, err := functionsOf(root, file)
			all = append(all, found...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func functionsOf(root fs.FS, file string) (all []function, err error) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range tree.Decls {
		declared, ok := d.(*ast.FuncDecl)
		if !ok || declared.Body == nil {
			continue
		}
		f := function{at: file + " " + declared.Name.Name}
		ast.Inspect(declared.Body, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				f.note(call)
			}
			return true
		})
		all = append(all, f)
	}
	return all, nil
}

func (f *function) note(call *ast.CallExpr) {
	name := called(call.Fun)
	if name == "step.Done" {
		text, _ := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value) // a name is a literal, or this panics
		f.steps = append(f.steps, text)
		return
	}
	if slices.Contains(changes, name) && (!strings.HasPrefix(name[strings.Index(name, ".")+1:], "Open") || creates(call)) {
		f.changes = append(f.changes, name)
	}
}

// creates says whether what is opened is made where it is not there.
func creates(call *ast.CallExpr) (yes bool) {
	ast.Inspect(call, func(n ast.Node) bool {
		name, ok := n.(*ast.Ident)
		yes = yes || ok && strings.HasPrefix(name.Name, "O_CREAT")
		return true
	})
	return yes
}

// called is package.Function, or receiver.Method as far as that is a name.
func called(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
		return "." + f.Sel.Name
	}
	return ""
}
