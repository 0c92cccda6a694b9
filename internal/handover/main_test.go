package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the program whose images follow each other, and
// the binaries that are checked.
func TestMain(m *testing.M) {
	if t, err := Take(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	} else if t != nil {
		os.Exit(image(t))
	}
	switch os.Getenv("HANDOVER_TEST") {
	case "first":
		os.Exit(first())
	case "":
	}
	if len(os.Args) > 2 && os.Args[1] == "takeover" {
		os.Exit(takeover(os.Args[2]))
	}
	os.Exit(m.Run())
}

// state is what the images hand on.
type state struct {
	Images int `json:"images"`
	Left   int `json:"left"`
	Child  int `json:"child"`
	Pid    int `json:"pid"`
}

// first is the first image: it starts a child that ends at the end of its stdin,
// listens, and hands all of it on.
func first() int {
	left := 3
	fmt.Sscan(os.Getenv("HANDOVER_LEFT"), &left)
	read, write, err := os.Pipe()
	child := exec.Command("/bin/sh", "-c", "read x; exit 7")
	child.Stdin = read
	l, lerr := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(err, lerr, child.Start()); err != nil {
		fmt.Println(err)
		return 1
	}
	read.Close()
	signal.Ignore(Signals[:2]...)
	fmt.Println("listens", l.Addr())
	return goOn(state{1, left, child.Process.Pid, os.Getpid()}, write, l.(*net.TCPListener))
}

// goOn becomes the next image.
func goOn(s state, write *os.File, l syscall.Conn) int {
	received := make(chan os.Signal, 100)
	signal.Notify(received, syscall.SIGTERM, syscall.SIGHUP)
	p := New("test")
	err := errors.Join(p.Add("write", write), p.Add("listener", l))
	sealed, serr := p.Seal(s)
	if err = errors.Join(err, serr); err == nil {
		err = sealed.Exec("/proc/self/exe", os.Args, os.Environ(), func() error {
			select {
			case got := <-received:
				return fmt.Errorf("got %v", got)
			default:
				return nil
			}
		})
	}
	fmt.Println(err)
	return 3
}

// image is every later one. The last ends the child and tells what it has found.
func image(t *Taken) int {
	var s state
	if err := Decode(t.State, &s); err != nil {
		fmt.Println(err)
		return 1
	}
	write := t.File("write")
	listener := t.File("listener")
	l, err := net.FileListener(listener)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	listener.Close()
	s.Images++
	if s.Left--; s.Left > 0 {
		return goOn(s, write, l.(*net.TCPListener))
	}
	c, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c.Write([]byte("hello"))
	c.Close()
	write.Close()
	var status syscall.WaitStatus
	syscall.Wait4(s.Child, &status, 0, nil)
	signal.Notify(make(chan os.Signal, 1), Signals...) // what a child inherits is the default then
	masks, err := exec.Command("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status").Output()
	fmt.Printf("%d images, same pid %v, exit %d, rest %d, %s %v\n", s.Images, s.Pid == os.Getpid(), status.ExitStatus(), len(t.files), masks, err)
	fmt.Println("environment", os.Getenv(Variable) == "", os.Getenv("LISTEN_FDS") == "", os.Getenv("HANDOVER_KEPT"))
	return 0
}

// takeover is the binary that is asked whether it takes a parcel.
func takeover(how string) int {
	switch how {
	case "takes":
		err := Answer(os.Stdout, "v2", func(t *Taken) error {
			var s state
			return Decode(t.State, &s)
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	case "refuses":
		fmt.Fprintln(os.Stderr, "I do not like it")
		return 1
	case "succeeds":
		return 0
	case "lies":
		_ = json.NewEncoder(os.Stdout).Encode(verdict{Version + 1, "v9"})
	case "hangs":
		io.Copy(io.Discard, os.Stdin)
		time.Sleep(time.Hour)
	}
	return 0
}
