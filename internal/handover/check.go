package handover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// checkedFile is the number that the checked binary finds the parcel at.
const checkedFile = 3

// verdict is what a binary that can take a parcel prints. A program that is none
// of ours may well exit with success.
type verdict struct {
	Takes   int    `json:"takes"` // Version
	Program string `json:"program"`
}

// Check asks the binary argv[0], which is to answer by Answer, whether it can
// take the parcel, and returns its version. The error says why not; nothing was
// touched.
func (s *Sealed) Check(ctx context.Context, argv ...string) (program string, err error) {
	var out, words bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.ExtraFiles = []*os.File{s.memory}
	cmd.Stdout, cmd.Stderr = &out, &words
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // what it forked may hold the pipes open
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("it does not answer: %w", ctx.Err())
	}
	if err != nil {
		return "", refusal(argv[0], err, words.String())
	}
	return parseVerdict(argv[0], out.Bytes())
}

func parseVerdict(binary string, out []byte) (program string, err error) {
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil || v.Takes != Version || v.Program != printable(v.Program) {
		return "", refusal(binary, errors.New("it does not say that it takes this state"), string(out))
	}
	return v.Program, nil
}

// refusal has the binary's own words, in one line.
func refusal(binary string, err error, words string) error {
	words = printable(strings.Join(strings.Fields(words), " "))
	if words != "" {
		return fmt.Errorf("%s refuses to take over: %w: %s", binary, err, words)
	}
	return fmt.Errorf("%s refuses to take over: %w", binary, err)
}

// maxWords bounds what is told of a binary's words, in characters.
const maxWords = 500

// printable makes words fit for a terminal: they are those of a program that may
// be none of ours.
func printable(words string) string {
	words = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, words)
	return fmt.Sprintf("%.*s", maxWords, words)
}

// Answer is the other side of Check: it reads the parcel that this process was
// started with, has accept look at the state, and tells that program takes it.
func Answer(w io.Writer, program string, accept func(*Taken) error) error {
	t, err := Read(os.NewFile(checkedFile, "gatewayd-state"))
	if err == nil {
		err = accept(t)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(verdict{Version, program})
}
