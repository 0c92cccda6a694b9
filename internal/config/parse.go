package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
)

// maxSize bounds a configuration, in bytes. A file that is larger is no
// configuration, and all of it would be held in memory several times.
const maxSize = 1 << 20

// byteOrderMark begins files of some editors. TOML allows and ignores it.
var byteOrderMark = []byte("\uFEFF")

// Load reads the file at path. The error is [Faults] if something is wrong with
// its text, and otherwise what os says of a file that cannot be read.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of a file that faults call name. The error is [Faults].
func Parse(name string, data []byte) (*Config, error) {
	if len(data) > maxSize {
		return nil, Faults{{File: name, Line: 1, Column: 1, Problem: "the file is larger than " + strconv.Itoa(maxSize) + " bytes"}}
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	r := newReport(name, data)
	c := defaultConfig()
	if root, ok := parseTree(r, data); ok {
		fileKeys.fill(r, root, &c)
		requireGateway(r, root)
		checkClaims(r, root)
	}
	if len(r.faults) > 0 {
		return nil, r.sorted()
	}
	return &c, nil
}

func requireGateway(r *report, root *node) {
	n := root.find("gateway")
	if n == nil {
		n = &node{name: "gateway", parent: root}
	}
	if !n.faulty && len(n.children) == 0 {
		r.key(n, "no gateway is configured: want a table [gateway.NAME] for each")
	}
}
