// Gateway is the program that the tests run in containers. It does what its
// arguments say, one step after another, and then waits for SIGTERM, at which
// it ends with code 0:
//
//	serve=ADDRESS     answer HTTP from here on (see serve.go); ADDRESS may be inherit or a path
//	get=URL           ask by HTTP and end, with code 0 for a good answer
//	unix=PATH         accept connections at a unix socket
//	notify            say READY=1 to NOTIFY_SOCKET
//	out=TEXT err=TEXT write a line; TEXT may hold Go escapes such as \x00
//	flood=N           write the numbers from 1 to N, one a line
//	close             close stdout and stderr
//	blob=N            write N bytes that are one line
//	crowd=N           have N children
//	sleep=DURATION
//	await=PATH        wait until a file is there
//	write=PATH:TEXT   write a file
//	copy=FROM:TO      copy a file
//	link=FROM:TO      write into a file what a symlink points to
//	unshare=PATH      write into a file what unshare(2) says
//	bury=PATH         make a directory with a file in it, mode 0000
//	orphan=DURATION   leave a grandchild behind that lives so long
//	sick              answer HTTP with 503
//	leak=PATH         print a file, or env:NAME a variable, in every encoding
//	backwards=PATH    print a file backwards
//	complain=PATH     answer HTTP with 503 and a file
//	deaf              take HTTP requests and never answer
//	ignore=TERM       ignore a signal
//	default=TERM      give a signal its default action, which PID 1 is spared
//	exit=N            end with a code
//	die=KILL          end by a signal
//	fork hog          take all processes, or all memory, that are to be had
//	fill=DIR          take all bytes and names of a file system
//	chmod=DIR         take away all modes of what is there
//	lie               say on the notify socket what others say
//	keep              leave a child that holds stdout
//	mounts=N cgroups=N make so many, if they may be made
//	once=PATH:STEP    do STEP unless PATH exists, and make it
//	when=PATH:STEP    do STEP if PATH exists
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	for _, step := range os.Args[1:] {
		do(step)
	}
	<-terminate
	fmt.Println("ends on SIGTERM")
}

func do(step string) {
	verb, value, _ := strings.Cut(step, "=")
	action, ok := actions()[verb]
	if !ok {
		fail(fmt.Errorf("unknown step %q", step))
	}
	if err := action(value); err != nil {
		fail(fmt.Errorf("%s: %w", step, err))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "test gateway:", err)
	os.Exit(99)
}
