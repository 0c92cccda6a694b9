package fakeruntime

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// command is a part of the fake with the same command line, as a real fork has.
func (f fake) command(role string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: role != "parent"}
	return cmd
}

func (f fake) begin(cmd *exec.Cmd) int {
	if err := cmd.Start(); err != nil {
		f.die("fork: %v", err)
	}
	return cmd.Process.Pid
}

func (f fake) fork(role string) int { return f.begin(f.command(role)) }

// forkInit forks PID 1 of a pid namespace, as in a container. It gets the spec
// by its environment: config.json is not there for long.
func (f fake) forkInit(spec specs.Spec) int {
	data, _ := json.Marshal(spec)
	cmd := f.command("init")
	cmd.Env = append(cmd.Env, specEnv+"="+string(data))
	if slices.Contains(os.Args, "--preserve-fds") {
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "passed")}
	}
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	init := f.begin(cmd)
	if spec.Linux != nil && spec.Linux.CgroupsPath != "" {
		procs := filepath.Join("/sys/fs/cgroup", spec.Linux.CgroupsPath, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(init)), 0); err != nil {
			f.die("enter cgroup: %v", err)
		}
	}
	return init
}

// play is the life of what create forks.
func (f fake) play(role string) {
	switch role {
	case "init":
		f.init()
	case "parent": // leaves a child in a session of its own
		f.fork("orphan")
		exit(0)
	case "orphan":
		hang()
	}
	exit(95)
}

func (f fake) init() {
	var spec specs.Spec
	if err := json.Unmarshal([]byte(os.Getenv(specEnv)), &spec); err != nil {
		f.die("read spec: %v", err)
	}
	fifo, err := os.OpenFile(filepath.Join(f.state(), "start"), os.O_RDONLY, 0)
	if err != nil {
		f.die("open fifo: %v", err)
	}
	_, _ = fifo.Read(make([]byte, 1))
	args := spec.Process.Args
	path := args[0]
	switch {
	case path == "/prog":
		path = "/proc/self/exe"
	case strings.HasPrefix(path, "/broken"):
		path = filepath.Join(f.bundle, "rootfs", path)
	}
	err = syscall.Exec(path, args, spec.Process.Env)
	f.logError("exec " + path + ": " + err.Error())
	exit(255)
}

func (f fake) start() {
	switch {
	case f.told("start-hang"):
		hang()
	case f.told("start-die"):
		killSelf()
	case f.told("start-refuse"):
		f.die("not in the mood")
	case f.told("start-silent"):
		_, _ = os.Stdout.WriteString("words on stdout only\n")
		exit(1)
	}
	fifo, err := os.OpenFile(filepath.Join(f.state(), "start"), os.O_WRONLY, 0)
	if err != nil {
		f.die("container is not in the state created: %v", err)
	}
	_, _ = fifo.WriteString("x")
	_ = os.Remove(filepath.Join(f.state(), "start"))
}

// delete kills the pid that it has noted, whoever has it now, as youki does.
func (f fake) delete() {
	if f.told("delete-hang") {
		hang()
	}
	if f.told("delete-refuse") {
		f.die("not now")
	}
	data, err := os.ReadFile(filepath.Join(f.state(), "pid"))
	if err != nil {
		f.die("load state: %v", err)
	}
	if pid, err := strconv.Atoi(string(data)); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.RemoveAll(f.state())
}
