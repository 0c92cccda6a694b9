package example

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// crashing answers first and crashes then, so that who asked knows that it was
// heard. The answer is in the kernel's buffer once it is flushed; the body of
// the request is read before, since a socket that closes with unread data
// resets the connection and may take the answer with it.
func crashing(log io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		crash, text, err := parseCrash(r.URL.Query().Get("code"), r.URL.Query().Get("signal"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // an error changes nothing
		answer := "crashing " + text + "\n"
		w.Header().Set("Connection", "close")
		// Without a length there would be a last chunk to come, which never does.
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		fmt.Fprint(w, answer)
		http.NewResponseController(w).Flush()
		fmt.Fprintf(log, "example gateway crashes %s, as asked\n", text)
		crash()
	})
}

func parseCrash(code, name string) (crash func(), text string, err error) {
	if code != "" && name != "" {
		return nil, "", fmt.Errorf("crash: code= or signal=, not both")
	}
	if name != "" {
		signal := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
		if signal == 0 {
			return nil, "", fmt.Errorf("crash: signal= takes a name such as SEGV or KILL")
		}
		return func() { dieBy(signal) }, "by " + unix.SignalName(signal), nil
	}
	n := 1
	if code != "" {
		if n, err = strconv.Atoi(code); err != nil || n < 0 || n > 255 {
			return nil, "", fmt.Errorf("crash: code= takes a number from 0 to 255")
		}
	}
	return func() { os.Exit(n) }, fmt.Sprintf("with code %d", n), nil
}

// dieBy ends the process by the signal's default action.
//
// PID 1 of a pid namespace gets no signal without a handler from within, not
// even SIGKILL (pid_namespaces(7)); it then exits with 128 + the signal, as a
// shell would say it. A real fault is different: the kernel forces its signal
// on everyone, PID 1 included, so SIGSEGV is made by one.
func dieBy(signal syscall.Signal) {
	runtime.LockOSThread() // the signal must hit before the next line runs
	defaultAction(signal)
	if signal == syscall.SIGSEGV {
		fault()
	}
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), signal)
	os.Exit(128 + int(signal))
}

// fault reads at address 0. Not inlined, so that no compiler sees it is bound
// to fail.
//
//go:noinline
func fault() int { return *pointer() }

//go:noinline
func pointer() *int { return nil }
