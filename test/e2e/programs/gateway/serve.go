package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var sick, deaf atomic.Bool

var complaint atomic.Value // what a sick one says

// serve answers
//
//	/            "ok", or as sick and deaf say
//	/do?step=S   does a step, a moment after the answer
//	/read?path=P a file as the program sees it
//	/link?path=P what a symlink points to
//	/list?path=P the names in a directory
//	/env         the environment
func serve(address string) error {
	l, err := listen(address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", health)
	mux.HandleFunc("/do", step)
	mux.HandleFunc("/env", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, strings.Join(os.Environ(), "\n")) })
	mux.HandleFunc("/read", about(func(path string) (string, error) { data, err := os.ReadFile(path); return string(data), err }))
	mux.HandleFunc("/link", about(os.Readlink))
	mux.HandleFunc("/list", about(list))
	go func() { fail(http.Serve(l, mux)) }()
	return nil
}

// listen takes the first socket of LISTEN_FDS (sd_listen_fds(3)) where address
// says so; an absolute path is that of a unix socket.
func listen(address string) (net.Listener, error) {
	if strings.HasPrefix(address, "/") {
		return net.Listen("unix", address)
	}
	if address != "inherit" {
		return net.Listen("tcp", address)
	}
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("LISTEN_PID is %q", pid)
	}
	return net.FileListener(os.NewFile(3, "inherited"))
}

func health(w http.ResponseWriter, r *http.Request) {
	if deaf.Load() {
		<-r.Context().Done()
		return
	}
	if sick.Load() {
		text, _ := complaint.Load().(string)
		http.Error(w, "I am sick "+text, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func step(w http.ResponseWriter, r *http.Request) {
	// The answer first: some steps leave nobody to give it.
	time.AfterFunc(20*time.Millisecond, func() { do(r.FormValue("step")) })
	fmt.Fprintln(w, "will do")
}

func about(read func(path string) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := read(r.FormValue("path"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		fmt.Fprint(w, text)
	}
}

func list(path string) (string, error) {
	entries, err := os.ReadDir(path)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, "\n"), err
}

// get asks as a probe would, and ends the process with what it learnt.
func get(url string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", response.Status)
	}
	return exit("0")
}
