// Command server begins like nginx and postgres do in their images: as root it
// gives its cache to a user of its own, becomes that user, and serves.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
)

// own is www-data of Debian.
const own = 33

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address string) error {
	err := errors.Join(
		os.MkdirAll("/cache", 0o700), os.Chown("/cache", own, own),
		syscall.Setgroups([]int{own}), syscall.Setgid(own), syscall.Setuid(own),
	)
	if err != nil {
		return fmt.Errorf("become %d: %w", own, err)
	}
	err = errors.Join(os.MkdirAll("/cache/buried", 0o700), os.WriteFile("/cache/buried/page", []byte("cached"), 0), os.Chmod("/cache/buried", 0))
	if err != nil {
		return fmt.Errorf("use the cache: %w", err)
	}
	log, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0) // as a log file is opened by its path
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "serving as", os.Getuid(), os.Getgid())
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, os.Getuid(), os.Getgid())
	}))
}
