package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The fake runtime speaks the command line that go-runc uses, and obeys the
// words in the file "behaviour" beside its --root, such as "create-hang".

type fake struct {
	root, log, op, bundle, pidFile, id string
}

func fakeRuntime() {
	time.AfterFunc(time.Minute, func() { os.Exit(96) })
	if os.Args[1] == "--version" {
		fmt.Println(fakeVersion())
		os.Exit(0)
	}
	f := parseFake(os.Args[1:])
	switch f.op {
	case "create":
		f.create()
	case "start":
		f.start()
	case "delete":
		f.delete()
	}
	os.Exit(0)
}

// fakeVersion is what lies in the file beside the program, if there is one.
func fakeVersion() string {
	path, _ := os.Executable()
	data, err := os.ReadFile(path + ".version")
	if err != nil {
		return "youki version: 99.0.0"
	}
	if string(data) == "hang" {
		hang()
	}
	return string(data)
}

func parseFake(args []string) fake {
	var f fake
	values := map[string]*string{"--root": &f.root, "--log": &f.log, "--log-format": new(string),
		"--bundle": &f.bundle, "--pid-file": &f.pidFile, "--preserve-fds": new(string)}
	for i := 0; i < len(args); i++ {
		if to, ok := values[args[i]]; ok {
			i++
			*to = args[i]
		} else if f.op == "" {
			f.op = args[i]
		} else if args[i] != "--force" {
			f.id = args[i]
		}
	}
	return f
}

func (f fake) told(word string) bool {
	data, _ := os.ReadFile(filepath.Join(filepath.Dir(f.root), "behaviour"))
	for _, told := range strings.Fields(string(data)) {
		if told == word {
			return true
		}
	}
	return false
}

func (f fake) die(format string, args ...any) {
	line, _ := json.Marshal(map[string]string{"level": "ERROR", "message": fmt.Sprintf(format, args...)})
	_ = os.WriteFile(f.log, append(line, '\n'), 0o600)
	os.Exit(1)
}

func hang() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	select {}
}

func (f fake) state() string { return filepath.Join(f.root, f.id) }

func (f fake) create() {
	if f.told("create-hang") {
		hang()
	}
	if f.told("create-flood") {
		f.flood()
	}
	if f.told("create-die-early") {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err := os.Mkdir(f.state(), 0o700); err != nil {
		f.die("make state: %v", err)
	}
	spec := f.spec()
	if spec.Process == nil {
		f.die("config.json has no process")
	}
	if err := syscall.Mkfifo(filepath.Join(f.state(), "start"), 0o600); err != nil {
		f.die("make fifo: %v", err)
	}
	init := f.fork("init")
	if spec.Linux.CgroupsPath != "" {
		procs := filepath.Join("/sys/fs/cgroup", spec.Linux.CgroupsPath, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(init)), 0); err != nil {
			f.die("enter cgroup: %v", err)
		}
	}
	if slices.ContainsFunc(spec.Mounts, func(m specs.Mount) bool { return m.Type == "nosuchfs" }) {
		f.die("mount: no such device")
	}
	if f.told("create-orphans") { // children of a parent that is gone
		f.fork("parent")
	}
	f.disguise()
	if f.told("create-hang-late") {
		hang()
	}
	if f.told("create-die-late") {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if f.told("create-refuse-late") {
		f.die("no more room")
	}
	_ = os.WriteFile(filepath.Join(f.state(), "pid"), []byte(strconv.Itoa(init)), 0o600)
	f.writePid(init)
}

// disguise forks a child that no command line betrays.
func (f fake) disguise() {
	for word, session := range map[string]bool{"create-disguise": true, "create-disguise-group": false} {
		if f.told(word) {
			cmd := exec.Command("/bin/sleep", "60")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
			if err := cmd.Start(); err != nil {
				f.die("disguise: %v", err)
			}
		}
	}
}

func (f fake) writePid(init int) {
	for _, lie := range []string{"1", "0", "-1", "twelve", "", strings.Repeat("9", 1000)} {
		if f.told("create-pid=" + lie) {
			_ = os.WriteFile(f.pidFile, []byte(lie), 0o600)
			return
		}
	}
	if data, err := os.ReadFile(filepath.Join(filepath.Dir(f.root), "lie")); err == nil {
		_ = os.WriteFile(f.pidFile, data, 0o600)
		return
	}
	if !f.told("create-no-pid") {
		_ = os.WriteFile(f.pidFile, []byte(strconv.Itoa(init)+"\n"), 0o600)
	}
}

func (f fake) spec() specs.Spec {
	var spec specs.Spec
	data, err := os.ReadFile(filepath.Join(f.bundle, "config.json"))
	if err == nil {
		err = json.Unmarshal(data, &spec)
	}
	if err != nil {
		f.die("read config: %v", err)
	}
	return spec
}

// flood writes much into the log, with an error at the beginning and the end.
func (f fake) flood() {
	log, _ := os.Create(f.log)
	fmt.Fprintln(log, `{"level":"ERROR","message":"the cause"}`)
	noise := strings.Repeat(`{"level":"INFO","message":"noise"}`+"\n", 1000)
	for range 200 {
		_, _ = log.WriteString(noise)
	}
	fmt.Fprintln(log, `{"level":"ERROR","message":"the failure"}`)
	os.Exit(1)
}

// fork starts a part of the fake with the same command line, as a real fork has.
func (f fake) fork(role string) int {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), "FAKE_ROLE="+role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if fd := os.NewFile(3, "passed"); role == "init" && argument("--preserve-fds") {
		cmd.ExtraFiles = []*os.File{fd}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: role != "parent"}
	if role == "init" { // PID 1 of a pid namespace, as in a container
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		f.die("fork %s: %v", role, err)
	}
	return cmd.Process.Pid
}

func argument(name string) bool {
	for _, arg := range os.Args {
		if arg == name {
			return true
		}
	}
	return false
}

// fakeRole is the life of what create forks.
func fakeRole(role string) {
	time.AfterFunc(time.Minute, func() { os.Exit(96) })
	f := parseFake(os.Args[1:])
	switch role {
	case "init":
		f.init()
	case "parent": // leaves a child in a session of its own, which changes its name
		os.Setenv("FAKE_ROLE", "")
		f.fork("orphan")
		os.Exit(0)
	case "orphan":
		hang()
	}
	os.Exit(95)
}

func (f fake) init() {
	fifo, err := os.OpenFile(filepath.Join(f.state(), "start"), os.O_RDONLY, 0)
	if err != nil {
		f.die("open fifo: %v", err)
	}
	_, _ = fifo.Read(make([]byte, 1))
	os.Unsetenv("FAKE_ROLE")
	args := f.spec().Process.Args
	path := args[0]
	if path == "/prog" {
		path = "/proc/self/exe"
	}
	if strings.HasPrefix(path, "/broken") {
		path = filepath.Join(f.bundle, "rootfs", path)
	}
	err = syscall.Exec(path, args, os.Environ())
	line, _ := json.Marshal(map[string]string{"level": "ERROR", "message": "exec " + path + ": " + err.Error()})
	_ = os.WriteFile(f.log, line, 0o600)
	os.Exit(255)
}

func (f fake) start() {
	if f.told("start-hang") {
		hang()
	}
	if f.told("start-refuse") {
		f.die("not in the mood")
	}
	if f.told("start-silent") {
		fmt.Println("words on stdout only")
		os.Exit(1)
	}
	fifo, err := os.OpenFile(filepath.Join(f.state(), "start"), os.O_WRONLY, 0)
	if err != nil {
		f.die("container is not in the state created: %v", err)
	}
	_, _ = fifo.WriteString("x")
	_ = os.Remove(filepath.Join(f.state(), "start"))
}

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
