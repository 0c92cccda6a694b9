package bundle

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// payload is the program in the container, in words that a shell knows by
// itself. It says what it sees, and waits.
const payload = `
read -r hostname < /proc/sys/kernel/hostname
echo "hostname $hostname"
echo "cwd $PWD"
echo "pid $$"
export -p
while read -r key value rest; do
	case $key in Uid: | Gid:) echo "$key $value" ;; esac
done < /proc/self/status
for f in /written /tmp/written /dev/shm/written /home/written /ro/written /rw/written /sys/written /proc/sys/kernel/hostname; do
	if { echo x > $f; } 2> /dev/null; then echo "write $f: true"; else echo "write $f: false"; fi
done
for f in /proc/interrupts /etc/hosts; do
	if { read -r line < $f; } 2> /dev/null; then echo "read $f: true"; else echo "read $f: false"; fi
done
echo "end of report"
read -r line < /wait
`

// installShell puts this machine's shell and the payload into rootfs.
func installShell(t *testing.T, rootfs string) {
	t.Helper()
	install(t, rootfs, "/bin/sh")
	installLibraries(t, rootfs, "/bin/sh")
	must(t, os.WriteFile(filepath.Join(rootfs, "payload"), []byte(payload), 0o644), unix.Mkfifo(filepath.Join(rootfs, "wait"), 0o644))
}

// installLibraries copies what the program needs, one that is linked statically
// nothing.
func installLibraries(t *testing.T, rootfs, program string) {
	t.Helper()
	binary, err := elf.Open(program)
	must(t, err)
	defer binary.Close()
	libraries, err := binary.ImportedLibraries()
	must(t, err)
	for _, part := range binary.Progs {
		if part.Type == elf.PT_INTERP {
			name, err := io.ReadAll(part.Open())
			must(t, err)
			install(t, rootfs, strings.TrimRight(string(name), "\x00"))
		}
	}
	for _, library := range libraries {
		found, err := filepath.Glob("/lib*/*/" + library)
		must(t, err)
		plain, err := filepath.Glob("/lib*/" + library)
		must(t, err)
		for _, path := range append(found, plain...) {
			install(t, rootfs, path)
		}
	}
}

// installItself makes the test binary a program of the tree, for the roles that
// a shell cannot play.
func installItself(t *testing.T, rootfs string) {
	t.Helper()
	copyExecutable(t, filepath.Join(rootfs, "bundle.test"))
	installLibraries(t, rootfs, "/proc/self/exe")
}

func install(t *testing.T, rootfs, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err, os.MkdirAll(filepath.Join(rootfs, filepath.Dir(path)), 0o755))
	must(t, os.WriteFile(filepath.Join(rootfs, path), data, 0o755))
}
