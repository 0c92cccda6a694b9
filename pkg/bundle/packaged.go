package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxConfig bounds a packaged config.json, and a seccomp profile. A hundred times
// what any has.
const maxConfig = 4 << 20

// A Packaged is a bundle as it was installed.
type Packaged struct {
	Dir    string      // absolute, without symbolic links
	Spec   *specs.Spec // as it is in config.json, but for sources of binds below Dir, made absolute
	Rootfs string      // absolute, without symbolic links, below Dir

	newPrivileges bool // config.json says noNewPrivileges: false, which Spec does not tell from silence
}

// Open reads the packaged bundle in bundleDir, which must be absolute.
// config.json must be a regular file of one JSON object. Its root.path and the
// sources of its bind mounts that are relative are found below bundleDir; a
// path that leads out of it, also by a symbolic link, is an error (an absolute
// source of a bind is left for Plan.Spec to judge). Nothing says that the spec
// is harmless: that is what Plan.Spec is for.
//
// Errors are fs.ErrNotExist for what is missing.
func Open(bundleDir string) (*Packaged, error) {
	p, err := open(bundleDir)
	if err != nil {
		return nil, fmt.Errorf("open bundle %s: %w", bundleDir, err)
	}
	return p, nil
}

func open(bundleDir string) (*Packaged, error) {
	if !filepath.IsAbs(bundleDir) {
		return nil, errors.New("not an absolute path")
	}
	dir, err := filepath.EvalSymlinks(bundleDir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	p := &Packaged{Dir: dir}
	if err := p.read(root); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if p.Rootfs, err = findRootfs(root, p.Spec); err != nil {
		return nil, fmt.Errorf("config.json: root.path: %w", err)
	}
	return p, resolveBinds(root, p.Spec)
}

func (p *Packaged) read(root *os.Root) error {
	data, err := readRegular("config.json", root.Stat, root.Open)
	if err != nil {
		return err
	}
	if p.Spec, err = parseSpec(data); err != nil {
		return err
	}
	p.newPrivileges = saysNewPrivileges(data)
	return nil
}

// saysNewPrivileges reads what is JSON of a spec.
func saysNewPrivileges(data []byte) bool {
	var said struct {
		Process struct{ NoNewPrivileges *bool }
	}
	err := json.Unmarshal(data, &said)
	return err == nil && said.Process.NoNewPrivileges != nil && !*said.Process.NoNewPrivileges
}

// readRegular reads a file of at most maxConfig bytes.
func readRegular(name string, stat func(string) (os.FileInfo, error), open func(string) (*os.File, error)) ([]byte, error) {
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	// Before it is opened: open of a FIFO would wait for a writer.
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("larger than %d bytes", maxConfig)
	}
	return data, err
}

// parseSpec wants one JSON object and nothing behind it. Unknown members are
// let through: newer versions of the specification add some, and Plan.Spec
// takes over none that it does not know.
func parseSpec(data []byte) (*specs.Spec, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return nil, errors.New("not a JSON object")
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, err
	}
	return spec, nil
}

func findRootfs(root *os.Root, spec *specs.Spec) (string, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return "", errors.New("missing")
	}
	path, err := beneath(root, spec.Root.Path)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("not a directory")}
	}
	return path, nil
}

// beneath returns the absolute path, without symbolic links, of what path names
// in the bundle.
func beneath(root *os.Root, path string) (string, error) {
	if filepath.IsAbs(path) {
		rel, err := filepath.Rel(root.Name(), path)
		if err != nil {
			return "", err
		}
		path = rel
	}
	if _, err := root.Stat(path); err != nil { // refuses every way out
		return "", err
	}
	real, err := filepath.EvalSymlinks(filepath.Join(root.Name(), path))
	if err != nil {
		return "", err
	}
	if !within(root.Name(), real) {
		return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("leads out of the bundle")}
	}
	return real, nil
}

// within reports whether path is below dir. Both are clean and absolute.
func within(dir, path string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func resolveBinds(root *os.Root, spec *specs.Spec) error {
	for i, m := range spec.Mounts {
		if !isBind(m) || m.Source == "" || (filepath.IsAbs(m.Source) && !within(root.Name(), filepath.Clean(m.Source))) {
			continue
		}
		source, err := beneath(root, m.Source)
		if err != nil {
			return fmt.Errorf("config.json: mounts[%d].source: %w", i, err)
		}
		spec.Mounts[i].Source = source
	}
	return nil
}
