package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const manual = "../../docs/configuration.md"

// row is a key's row of a table: key, type, default, meaning, refused.
var row = regexp.MustCompile("(?m)^\\| `([a-z][A-Za-z_.]*)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|[^|]*\\|$")

func TestManualNamesEveryKey(t *testing.T) {
	var named []string
	for _, cells := range row.FindAllStringSubmatch(read(t, manual), -1) {
		named = append(named, cells[1])
	}
	slices.Sort(named)
	keys := fileKeys.paths()
	slices.Sort(keys)
	if diff := cmp.Diff(keys, named); diff != "" {
		t.Errorf("the tables of %s name other keys than the schema (-schema +manual):\n%s", manual, diff)
	}
}

// noDefault are the keys whose default is that they are not there.
var noDefault = []string{
	"gateway.NAME.rootfs", "gateway.NAME.bundle", "gateway.NAME.command",
	"gateway.NAME.digest", "gateway.NAME.max_size", "gateway.NAME.env.static.NAME", "gateway.NAME.isolation.limits.NAME",
	"gateway.NAME.mount.source", "gateway.NAME.mount.target",
	"gateway.NAME.secret.name", "gateway.NAME.secret.source",
	"gateway.NAME.listen.name", "gateway.NAME.listen.address", "gateway.NAME.listen.to",
	"gateway.NAME.restart.on.exit", "gateway.NAME.restart.on.signal", "gateway.NAME.restart.on.cause",
	"gateway.NAME.restart.on.delay", "gateway.NAME.restart.on.factor", "gateway.NAME.restart.on.max_delay",
}

// TestManualTellsTheDefaults sets each key to the default that the manual
// tells: that must change nothing.
func TestManualTellsTheDefaults(t *testing.T) {
	for _, cells := range row.FindAllStringSubmatch(read(t, manual), -1) {
		key, value := cells[1], strings.Trim(cells[3], "`")
		if slices.Contains(noDefault, key) {
			continue
		}
		with, without := withDefault(key, value)
		got, err := Parse(key, []byte(with))
		if err != nil {
			t.Errorf("default of %s: %v", key, err)
			continue
		}
		want, err := Parse(key, []byte(without))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not the default of %s:\n%s", value, key, diff)
		}
	}
}

func withDefault(key, value string) (with, without string) {
	without = "gateway.web.rootfs = '/r'\ngateway.web.command = ['/w']\n"
	if name, ok := strings.CutPrefix(key, "gateway.NAME.mount."); ok {
		without += "[[gateway.web.mount]]\nsource = 'data'\ntarget = '/d'\n"
		return without + name + " = " + value + "\n", without
	}
	if name, ok := strings.CutPrefix(key, "gateway.NAME.secret."); ok {
		without += "[[gateway.web.secret]]\nname = 'token'\nsource = 'exec:[\"pass\"]'\n"
		return without + name + " = " + value + "\n", without
	}
	if name, ok := strings.CutPrefix(key, "gateway.NAME.listen."); ok {
		without += "[[gateway.web.listen]]\nname = 'http'\naddress = ':80'\n"
		if name != "mode" {
			without += "mode = 'proxy'\nto = '127.0.0.1:0'\n"
		}
		return without + name + " = " + value + "\n", without
	}
	if name, ok := strings.CutPrefix(key, "gateway.NAME.restart.on."); ok {
		without += "[[gateway.web.restart.on]]\nexit = [3]\n"
		return without + name + " = " + value + "\n", without
	}
	return without + strings.Replace(key, "NAME", "web", 1) + " = " + value + "\n", without
}

// block is a fenced block; the faults of a faulty one follow it as text.
var block = regexp.MustCompile("(?s)```toml\n(.*?)```(?:\n\n```text\n(.*?)\n```)?")

func TestManualsBlocksParse(t *testing.T) {
	blocks := block.FindAllStringSubmatch(read(t, manual), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d blocks of TOML", len(blocks))
	}
	for _, b := range blocks {
		got := ""
		if _, err := Parse("gatewayd.toml", []byte(b[1])); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(b[2], got); diff != "" {
			t.Errorf("faults of\n%s(-manual +got):\n%s", b[1], diff)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
