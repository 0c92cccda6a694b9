package runtime

import "strings"

// Path is the PATH of every runtime call and the list in which Find looks for
// runtimes: fixed, so that the caller's environment cannot choose the program.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// EnvironmentFor returns what of env a runtime call needs, in the form of
// os.Environ: DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR where they are set
// and not empty, and the fixed PATH.
//
// go-runc passes the whole environment of this process on. A daemon therefore
// takes a snapshot of its own at start, calls os.Clearenv, and sets nothing but
// these. What must not get through: secrets, and LISTEN_FDS, which youki obeys
// without looking at LISTEN_PID.
func EnvironmentFor(env []string) []string {
	allowed := []string{"PATH=" + Path}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" {
			continue
		}
		if name == "DBUS_SESSION_BUS_ADDRESS" || name == "XDG_RUNTIME_DIR" {
			allowed = append(allowed, entry)
		}
	}
	return allowed
}
