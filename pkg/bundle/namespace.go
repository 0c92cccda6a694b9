package bundle

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A mode such as 0000 keeps even its owner out, but not one with
// CAP_DAC_OVERRIDE over the inode, and root of a user namespace has that over
// inodes whose owner and group are both mapped in it (user_namespaces(7)). So
// an ordinary user can read all its own files without a chmod of the source,
// and with subordinate ids can own and remove files as another one of them.
//
// A process with threads cannot enter a user namespace, and every Go program
// has threads. So a helper is started there: asked on its standard input,
// answering on its standard output. Both in gob and not in JSON: the name of a
// file may have any bytes, while JSON has only those of UTF-8.

// operations are what a helper can be asked for.
var operations = map[string]operation{
	"check":   serve(checkInside),
	"copy":    serve(copyInside),
	"examine": serve(examineInside),
	"give":    serve(giveInside),
	"remove":  serve(removeInside),
}

// An operation reads its options, works, and writes its answer.
type operation func(context.Context, *gob.Decoder, io.Writer) error

// A request comes first; the operation's options follow.
type request struct {
	Op     string
	Parent int // process id of the one who waits for the answer
}

// A reply comes first; the operation's answer follows, be there an error or not.
type reply struct{ Fault *fault }

// serve makes an operation of a function. Options and Answer are values that
// gob knows: what they say is in exported fields, of which there is one.
func serve[Options, Answer any](do func(context.Context, Options) (Answer, error)) operation {
	return func(ctx context.Context, in *gob.Decoder, out io.Writer) error {
		var options Options
		if err := in.Decode(&options); err != nil {
			return err
		}
		answer, err := do(ctx, options)
		to := gob.NewEncoder(out)
		return errors.Join(to.Encode(reply{faultOf(err)}), to.Encode(answer))
	}
}

// HelperMain is the body of the program that CopyOptions.Helper names, which is
// started as root of a user namespace. It reads what it has to do from standard
// input and answers on standard output, where its caller prints nothing, and
// where an error of the work goes, too. What it returns is an error of the
// conversation: its caller prints that on standard error and exits with a code
// other than 0. args are those that the program was given behind Helper's own.
func HelperMain(ctx context.Context, args []string) error {
	err := converse(ctx, args)
	if err != nil {
		return fmt.Errorf("work in a user namespace: %w", err)
	}
	return nil
}

func converse(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == awaitMapping {
		return becomeMapped()
	}
	if len(args) > 0 {
		return fmt.Errorf("%d arguments too many", len(args))
	}
	in := gob.NewDecoder(os.Stdin)
	var asked request
	if err := in.Decode(&asked); err != nil {
		return err
	}
	if err := dieWith(asked.Parent); err != nil {
		return err
	}
	do, ok := operations[asked.Op]
	if !ok {
		return fmt.Errorf("no operation %q", asked.Op)
	}
	return do(ctx, in, os.Stdout)
}

// dieWith asks the kernel once more for the signal that SysProcAttr.Pdeathsig
// asked for: who gains capabilities at execve(2), as becomeMapped does, loses
// the setting (prctl(2), PR_SET_PDEATHSIG).
func dieWith(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if os.Getppid() != parent { // it died before
		return errors.New("nobody waits for the answer")
	}
	return nil
}

// inNamespace runs the helper as root of a new user namespace with the mapping
// ids, and has it do op. It returns what came of it, and the operation's error
// as it was there: with its paths, and for errors.Is with its numbers and the
// sentinel errors of this package.
func inNamespace[Answer any](ctx context.Context, helper []string, ids IDMap, op string, options any) (Answer, error) {
	return ask[Answer](ctx, namespace{helper: helper, ids: ids, tools: toolDirs}, op, options)
}

func ask[Answer any](ctx context.Context, n namespace, op string, options any) (answer Answer, err error) {
	var in bytes.Buffer
	to := gob.NewEncoder(&in)
	if err := errors.Join(to.Encode(request{op, os.Getpid()}), to.Encode(options)); err != nil {
		return answer, err
	}
	out, err := n.run(ctx, &in)
	if err != nil {
		return answer, err
	}
	from := gob.NewDecoder(out)
	var r reply
	if err := errors.Join(from.Decode(&r), from.Decode(&answer)); err != nil {
		return answer, fmt.Errorf("work in a user namespace: read the answer: %w", err)
	}
	return answer, r.Fault.error()
}
