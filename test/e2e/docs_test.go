package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewayd/gatewayd/internal/testenv"
)

// elsewhere are the blocks that cannot be run by a user in the test host, and
// what runs them instead.
var elsewhere = map[string]string{
	"make run":                      "cmd/gatewayd demo: testdata/daemon/demo.txtar; set-up: test/setup",
	"make test":                     "is what runs this",
	"make build\nsudo make install": "the test host is made by them: test/host install",
}

// TestDocuments runs the commands of the documents, in the order of a reader:
// each block of a document as a script of its own, one after another, as the
// user whose gateways the installed gatewayd keeps. When a document after the
// README begins, gatewayd keeps the gateway "web" that the README has made.
func TestDocuments(t *testing.T) {
	testenv.NeedHost(t)
	testenv.NeedUnprivileged(t)
	testenv.NeedUserManager(t)
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "--user", "stop", "gatewayd").Run()
		_ = exec.Command("systemctl", "--user", "disable", "gatewayd").Run()
		_ = os.RemoveAll(filepath.Join(home(t), ".config/gatewayd"))
		_ = os.RemoveAll(filepath.Join(home(t), "web"))
	})
	for n, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			runBlock(t, document, "systemctl --user start gatewayd")
		}
		for _, block := range scripts(t, document, string(text)) {
			if _, known := elsewhere[block]; known {
				continue
			}
			runBlock(t, document, block)
		}
	}
}

// documents begins with the one that installs what the others speak of.
func documents(t *testing.T) []string {
	t.Helper()
	others, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"../../README.md"}, others...)
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// scripts returns the blocks with commands of a document. A block in a language
// that is not known here is an error: somebody has to say whether it can run.
func scripts(t *testing.T, document, text string) (blocks []string) {
	t.Helper()
	for _, match := range fence.FindAllStringSubmatch(text, -1) {
		language, block := match[1], strings.TrimSpace(match[2])
		switch language {
		case "sh":
			blocks = append(blocks, block)
		case "console":
			blocks = append(blocks, commands(block))
		case "text", "toml", "json", "ini":
		default:
			t.Errorf("%s: a block in %q, which no test knows:\n%s", document, language, block)
		}
	}
	if strings.Count(text, "\n```") != 2*len(fence.FindAllString(text, -1)) {
		t.Errorf("%s: a fence that is not closed, or not at the beginning of a line", document)
	}
	return blocks
}

// commands are what follows the prompts in a console block.
func commands(block string) string {
	var lines []string
	for _, line := range strings.Split(block, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			lines = append(lines, command)
		}
	}
	return strings.Join(lines, "\n")
}

func runBlock(t *testing.T, document, block string) {
	t.Helper()
	command := exec.Command("bash", "-euo", "pipefail", "-c", block)
	command.Dir = home(t)
	out, err := command.CombinedOutput()
	t.Logf("%s\n$ %s\n%s", filepath.Base(document), block, out)
	if err != nil {
		t.Error(err)
	}
}

// What is shown of help is what there is: no document names a command or an
// option that the binary does not know.
func TestDocumentsNameCommands(t *testing.T) {
	named := regexp.MustCompile("`gatewayd ([a-z]+)[^`]*`")
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(text), -1) {
			if out, err := exec.Command(programs.gatewayd, match[1], "--help").CombinedOutput(); err != nil {
				t.Errorf("%s names %s: %v %s", document, match[0], err, out)
			}
		}
	}
}
