package secrets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
)

// passed are the variables that a program gets of gatewayd's own: what a
// password store needs to find its keys and its agent. The rest is secrets of
// gateways, as like as not.
var passed = []string{"HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "GNUPGHOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"}

const searched = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// run returns what the program prints. It is in a group of its own, which is
// killed when it is over, also when that is by time: nothing of it stays behind
// that keeps to its group. Nobody sees what it says on standard error.
func (from Sources) run(ctx context.Context, s config.Secret) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	path, err := lookProgram(s.Source.Argv[0])
	if err != nil {
		return nil, err
	}
	output, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }()
	cmd := &exec.Cmd{
		Path: path, Args: s.Source.Argv, Env: from.environment(), Dir: "/", Stdout: input,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	// Pdeathsig comes when the thread ends that started the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	_ = input.Close() // the program has its own
	if err != nil {
		return nil, err
	}
	return finish(ctx, cmd, output)
}

// finish reads until the end of the output, waits for that of the program, and
// ends what it left in its group.
func finish(ctx context.Context, cmd *exec.Cmd, output *os.File) ([]byte, error) {
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	late := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		kill()
		_ = output.SetReadDeadline(time.Unix(0, 1)) // what left the group may hold the other end
		close(late)
	})
	value, err := readAll(output)
	if err != nil || len(value) > MaxSize {
		kill()
	}
	// While the leader is not reaped no other group can have its number.
	err = errors.Join(err, awaitEnd(cmd.Process.Pid))
	if !stop() {
		<-late
	}
	kill()
	err = errors.Join(err, ending(cmd.Wait()))
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("it did not end in time: %w", ctx.Err())
	case len(value) > MaxSize:
		err = nil // Check says so
	}
	if err != nil {
		clear(value)
		return nil, err
	}
	return value, nil
}

// awaitEnd leaves the process a zombie.
func awaitEnd(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("waitid", err)
		}
	}
}

// ending says how the program ended, and nothing that it said.
func ending(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("it ended with %s", exit.ProcessState)
	}
	return err
}

// lookProgram finds a program in directories that a system has, whatever the
// user's PATH is.
func lookProgram(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(searched, ":") {
		path := dir + "/" + name
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is in none of %s", name, searched)
}

func (from Sources) environment() []string {
	env := []string{"PATH=" + searched}
	for _, name := range passed {
		if value, ok := from.Lookup(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
