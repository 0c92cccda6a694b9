package bundle

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func canarySpec() *specs.Spec {
	return &specs.Spec{Version: specVersion, Process: &specs.Process{Env: []string{"TOKEN=canary"}, Args: []string{strings.Repeat("x", 10_000)}}}
}

func TestWriteConfig(t *testing.T) {
	dir := scratch(t)
	defer syscall.Umask(syscall.Umask(0))
	// What a crash left is replaced.
	must(t, os.WriteFile(filepath.Join(dir, configNew), []byte("half"), 0o666), os.WriteFile(filepath.Join(dir, configName), []byte("old"), 0o666))
	must(t, WriteConfig(dir, canarySpec()))
	onlyHolds(t, dir, configName)
	info, err := os.Stat(filepath.Join(dir, configName))
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	data, err := os.ReadFile(filepath.Join(dir, configName))
	must(t, err)
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil || spec.Process.Env[0] != "TOKEN=canary" {
		t.Errorf("%v, %v", spec, err)
	}
}

func TestWriteConfigFollowsNoLink(t *testing.T) {
	dir := scratch(t)
	victim := filepath.Join(dir, "victim")
	must(t, os.WriteFile(victim, []byte("kept"), 0o600), os.Mkdir(filepath.Join(dir, "b"), 0o700))
	must(t, os.Symlink(victim, filepath.Join(dir, "b", configName)))
	must(t, WriteConfig(filepath.Join(dir, "b"), canarySpec()))
	must(t, os.Remove(filepath.Join(dir, "b", configName)), os.Symlink("../victim", filepath.Join(dir, "b", configName)))
	if ScrubConfig(filepath.Join(dir, "b")) == nil {
		t.Error("a link was scrubbed")
	}
	if data, _ := os.ReadFile(victim); string(data) != "kept" {
		t.Errorf("the link was followed: %q", data)
	}
}

// To cut a file off is not enough: its blocks would keep what was in them.
func TestZeroOverwritesInPlace(t *testing.T) {
	path := filepath.Join(scratch(t), "f")
	must(t, os.WriteFile(path, []byte("canary"), 0o600))
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err, zero(file), file.Close())
	if data, err := os.ReadFile(path); err != nil || string(data) != "\x00\x00\x00\x00\x00\x00" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestScrubConfigOverwrites(t *testing.T) {
	dir := scratch(t)
	must(t, WriteConfig(dir, canarySpec()))
	half := filepath.Join(dir, configNew)
	must(t, os.WriteFile(half, []byte("half a canary"), 0o600))
	before, err := os.Stat(filepath.Join(dir, configName))
	must(t, err)
	for range 2 {
		must(t, ScrubConfig(dir))
	}
	after, err := os.Stat(filepath.Join(dir, configName))
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("another file was written")
	}
	for _, path := range []string{filepath.Join(dir, configName), half} {
		data, err := os.ReadFile(path)
		must(t, err)
		if bytes.Contains(data, []byte("canary")) || !json.Valid(data) {
			t.Errorf("%s: %q", path, data)
		}
	}
}

func TestScrubConfigOfNothing(t *testing.T) {
	dir := scratch(t)
	must(t, ScrubConfig(dir), ScrubConfig(filepath.Join(dir, "gone")))
	onlyHolds(t, dir)
}
