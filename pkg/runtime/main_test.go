package runtime

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gatewayd/gatewayd/internal/fakeruntime"
)

// The test binary plays three parts: the tests, the fake runtime, and the
// program in a container.
func TestMain(m *testing.M) {
	fakeruntime.Main()
	if len(os.Args) > 1 && os.Args[1] == "program" {
		program(os.Args[2:])
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each fake process lasts a second more
	if err := BecomeSubreaper(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// program is what runs in a container: it says that it is there and what it
// sees, and ends as its first argument wants.
func program(args []string) {
	time.AfterFunc(time.Minute, func() { os.Exit(99) }) // whatever the test does
	switch args[0] {
	case "exit":
		fmt.Println("ready")
		code, _ := strconv.Atoi(args[1])
		os.Exit(code)
	case "wait": // ends by SIGTERM with code 0
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("ready")
		<-term
		os.Exit(0)
	case "ignore":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "descriptor": // copies descriptor 3 to its output
		data := make([]byte, 100)
		n, err := os.NewFile(3, "passed").Read(data)
		fmt.Println("ready", string(data[:n]), err)
		os.Exit(0)
	case "fork": // leaves a process in the container that would outlive it
		process, err := os.StartProcess("/proc/self/exe", []string{"prog", "program", "ignore"},
			&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			fmt.Println(err)
			os.Exit(98)
		}
		_ = process.Release()
		select {}
	}
	os.Exit(97)
}
