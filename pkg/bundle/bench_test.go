package bundle

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A tree of one static program, as most gateways are, and one of many files.
func BenchmarkCopyAndRemove(b *testing.B) {
	trees := map[string]func(root string){
		"one file of 15 MB": func(root string) {
			must(b, os.WriteFile(filepath.Join(root, "gateway"), make([]byte, 15<<20), 0o755))
		},
		"2000 files of 4 KB": func(root string) {
			for i := range 2000 {
				dir := filepath.Join(root, fmt.Sprint(i%50))
				must(b, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, 4096), 0o644))
			}
		},
	}
	for name, grow := range trees {
		b.Run(name, func(b *testing.B) {
			dir := scratch(b)
			source := filepath.Join(dir, "source")
			must(b, os.Mkdir(source, 0o755))
			grow(source)
			for b.Loop() {
				must(b, only(Copy(context.Background(), source, filepath.Join(dir, "dest"), CopyOptions{})))
				must(b, Remove(context.Background(), dir, "dest", RemoveOptions{}))
			}
		})
	}
}
