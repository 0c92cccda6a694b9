package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/redact"
)

// MaxSize bounds a value, in bytes: more is no secret, and a variable could not
// hold twice as much (execve(2), MAX_ARG_STRLEN).
const MaxSize = 64 << 10

// MinSize bounds it from below: the log would be full of what is shorter, by
// chance, so it could not be taken out of it.
const MinSize = 6

var (
	// ErrAbsent says that there is no such secret at its source: no file, no
	// credential, no variable.
	ErrAbsent = errors.New("there is none")
	// ErrUnfit says that there is one that is refused, for what it is or for how
	// it lies there. It would be again.
	ErrUnfit = errors.New("refused")
)

// unfit is an error that is ErrUnfit without saying so.
type unfit string

func (u unfit) Error() string        { return string(u) }
func (u unfit) Is(target error) bool { return target == ErrUnfit }

// Sources is where the secrets of a gatewayd come from. Lookup is as
// os.LookupEnv, over its environment as it was at start.
type Sources struct {
	Lookup func(name string) (string, bool)
}

// Read returns the value that s has now, which is the caller's to clear. The
// error is ErrAbsent where there is none, ErrUnfit where it is refused, and says
// of which secret it is; anything else may pass.
func (from Sources) Read(ctx context.Context, s config.Secret) ([]byte, error) {
	value, err := from.read(ctx, s)
	if err == nil {
		err = Check(s, value)
	}
	if err != nil {
		clear(value)
		return nil, fmt.Errorf("read secret %s from %s: %w", s.Name, Origin(s.Source), err)
	}
	return value, nil
}

func (from Sources) read(ctx context.Context, s config.Secret) ([]byte, error) {
	switch s.Source.Kind {
	case config.SecretCredential:
		return from.credential(s.Source.Name)
	case config.SecretFile:
		return readFile(s.Source.Name)
	case config.SecretEnv:
		value, ok := from.Lookup(s.Source.Name)
		if !ok || strings.TrimSpace(value) == "" {
			return nil, fmt.Errorf("%w: the variable is not set in gatewayd's environment", ErrAbsent)
		}
		return []byte(value), nil
	case config.SecretExec:
		return from.run(ctx, s)
	}
	return nil, unfit("no such kind of source")
}

// Origin is how a source is called in messages: of a program nothing but its
// name, since its arguments may be secrets as well.
func Origin(s config.SecretSource) string {
	if s.Kind == config.SecretExec && len(s.Argv) > 0 {
		return "exec:" + s.Argv[0]
	}
	return string(s.Kind) + ":" + s.Name
}

// Check finds fault with a value. What is a line for people, a newline at the
// end, does not count.
func Check(s config.Secret, value []byte) error {
	switch {
	case len(value) > MaxSize:
		return unfit(fmt.Sprintf("it has more than %d bytes", MaxSize))
	case len(bytes.TrimSpace(value)) == 0:
		return unfit("it is empty")
	case !redact.Fits(value):
		return unfit(fmt.Sprintf("it has less than %d bytes: too short to be kept out of the log", MinSize))
	case !s.IsFile() && bytes.IndexByte(value, 0) >= 0:
		return unfit(`it has a NUL, which no variable can hold: want as = "file"`)
	}
	return nil
}

// Line is a value without the end of its line, as a variable has it.
func Line(value []byte) []byte {
	value = bytes.TrimSuffix(value, []byte("\n"))
	return bytes.TrimSuffix(value, []byte("\r"))
}
