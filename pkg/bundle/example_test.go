package bundle_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatewayd/gatewayd/pkg/bundle"
)

// From a package to nothing, as the package's documentation has it.
func Example() {
	top, err := os.MkdirTemp("", "bundle-example-")
	check(err)
	defer os.RemoveAll(top)
	source, launches := filepath.Join(top, "package"), filepath.Join(top, "launches")
	check(os.MkdirAll(filepath.Join(source, "rootfs", "bin"), 0o755))
	check(os.Mkdir(launches, 0o700))
	check(os.WriteFile(filepath.Join(source, "config.json"), []byte(`{"root": {"path": "rootfs"}, "process": {"args": ["/bin/web"]}}`), 0o644))

	packaged, err := bundle.Open(source)
	check(err)
	id, dir, err := bundle.MakeDir(launches, "web", 7, 0o700)
	check(err)
	rootfs := filepath.Join(dir, "rootfs")
	_, err = bundle.Copy(context.Background(), packaged.Rootfs, rootfs, bundle.CopyOptions{})
	check(err)
	seccomp, err := bundle.DefaultSeccomp()
	check(err)
	spec, err := bundle.Plan{
		ID: id, Rootfs: rootfs, Network: bundle.NetworkHost, Seccomp: seccomp, IDs: bundle.SingleID(65532, 65532), Tmp: 256 << 20,
		Env: []string{"TOKEN=secret"},
	}.SpecOf(packaged)
	check(err)
	check(bundle.WriteConfig(dir, spec))
	check(bundle.ScrubConfig(dir))
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	check(err)
	check(bundle.Remove(context.Background(), launches, id, bundle.RemoveOptions{}))
	left, err := os.ReadDir(launches)
	check(err)

	fmt.Println(spec.Process.Args, spec.Process.Env)
	fmt.Printf("%s%d left\n", config, len(left))
	// Output:
	// [/bin/web] [PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TOKEN=secret]
	// {}
	// 0 left
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
