package launch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gatewayd/gatewayd/internal/config"
	"github.com/gatewayd/gatewayd/internal/secrets"
	"github.com/gatewayd/gatewayd/internal/step"
	"github.com/gatewayd/gatewayd/pkg/bundle"
	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// secret is one that the launch has.
type secret struct {
	of    config.Secret
	value []byte            // until the program has it
	sum   [sha256.Size]byte // of the value
	file  *os.File          // what the container has mounted; nil: nothing is to be rewritten
}

// readSecrets reads the values that the launch gets. What is refused, or required
// and not there, would be so again.
func (la *launch) readSecrets(ctx context.Context) error {
	if len(la.gateway.Secrets) == 0 {
		return nil
	}
	if err := secrets.Guard(); err != nil {
		return err
	}
	from := secrets.Sources{Lookup: la.host.Env}
	for _, s := range la.gateway.Secrets {
		value, err := from.Read(ctx, s)
		switch {
		case err == nil:
			la.host.Redact.Add(la.gateway.Name+"/"+s.Name, value)
			la.secrets = append(la.secrets, secret{of: s, value: value, sum: sha256.Sum256(value)})
		case errors.Is(err, secrets.ErrAbsent) && !s.Required:
		case errors.Is(err, secrets.ErrAbsent) || errors.Is(err, secrets.ErrUnfit):
			return fmt.Errorf("%w: %w", supervisor.ErrPermanent, err)
		default:
			return err
		}
	}
	return nil
}

// secretDir has the secrets of the launch that are files: those of a container
// for as long as the runtime makes it, those of a bare program until its end.
func (la *launch) secretDir() string { return filepath.Join(la.host.Dirs.Secrets(), la.id) }

func (la *launch) secretPath(s secret) string { return filepath.Join(la.secretDir(), s.of.Name) }

// secretEnvironment is what the program has of its secrets in variables.
func (la *launch) secretEnvironment() []string {
	var env []string
	for _, s := range la.secrets {
		if !s.of.IsFile() {
			env = append(env, s.of.Variable+"="+string(secrets.Line(s.value)))
		}
	}
	if !la.gateway.SecretFiles() {
		return env
	}
	dir := config.SecretDir
	if la.gateway.Isolation.Bare {
		dir = la.secretDir()
	}
	return append(env, config.CredentialsVariable+"="+dir)
}

// secretMounts are single files, so that each can be unlinked on the host when it
// is mounted: of a directory the path would stay.
func (la *launch) secretMounts() []bundle.Mount {
	var mounts []bundle.Mount
	for _, s := range la.secrets {
		if s.of.IsFile() {
			mounts = append(mounts, bundle.Mount{
				Source: la.secretPath(s), Target: filepath.Join(config.SecretDir, s.of.Name), ReadOnly: true, File: true,
			})
		}
	}
	return mounts
}

// writeSecrets makes the files. They lie on the tmpfs of the runtime directory.
func (la *launch) writeSecrets() error {
	if !la.gateway.SecretFiles() {
		return nil
	}
	dir := la.secretDir()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("write secrets: %w", err)
	}
	step.Done("secret-dir-made")
	if os.Geteuid() == 0 && !la.gateway.Isolation.Bare {
		if err := letPass(dir); err != nil {
			return fmt.Errorf("write secrets: %w", err)
		}
	}
	for i := range la.secrets {
		if err := la.writeSecret(&la.secrets[i]); err != nil {
			return fmt.Errorf("write secret %s: %w", la.secrets[i].of.Name, err)
		}
	}
	return nil
}

func (la *launch) writeSecret(s *secret) error {
	if !s.of.IsFile() {
		return nil
	}
	file, err := os.OpenFile(la.secretPath(*s), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	step.Done("secret-opened")
	_, err = file.Write(s.value)
	step.Done("secret-written")
	err = errors.Join(err, la.giveSecret(file))
	if err == nil && s.of.OnChange.Action == config.ChangeSignal {
		s.file = file
		return nil
	}
	return errors.Join(err, file.Close())
}

// giveSecret makes the file container root's. With several ids its program may be
// another user, whom no user can give a file to: the directory, which the
// container does not see, keeps everybody else out.
func (la *launch) giveSecret(file *os.File) error {
	defer step.Done("secret-given")
	mode := os.FileMode(0o400)
	if !la.ids.Single() {
		mode = 0o444
	}
	if os.Geteuid() != 0 || la.gateway.Isolation.Bare {
		return file.Chmod(mode)
	}
	uid, gid := la.host.ids()
	return errors.Join(file.Chown(uid, gid), file.Chmod(mode))
}

// removeSecrets takes the files away from the host. What is mounted stays where
// it is mounted. Nothing there: nil.
func (la *launch) removeSecrets(ctx context.Context) error {
	if !la.gateway.SecretFiles() {
		return nil
	}
	for _, s := range la.secrets {
		if s.of.IsFile() {
			_ = os.Remove(la.secretPath(s)) // what is left is told next
			step.Done("secret-unlinked")
		}
	}
	return la.host.removeSecrets(ctx, la.id)
}

// removeSecrets does not end with ctx: nobody who is in a hurry leaves secrets
// behind.
func (h *Host) removeSecrets(ctx context.Context, name string) error {
	return bundle.Remove(context.WithoutCancel(ctx), h.Dirs.Secrets(), name, bundle.RemoveOptions{})
}

// clearSecrets clears what can be cleared when the program has it. A variable has
// been part of strings.
func (la *launch) clearSecrets() {
	for i := range la.secrets {
		clear(la.secrets[i].value)
		la.secrets[i].value = nil
	}
}

func (la *launch) forgetSecrets() {
	la.clearSecrets()
	for _, s := range la.secrets {
		if s.file != nil {
			_ = s.file.Close()
		}
	}
	la.secrets = nil
}

// tellWindow says for how long a path of the host led to the secrets.
func (la *launch) tellWindow(since time.Time) {
	if len(la.secrets) == 0 {
		return
	}
	window := float64(time.Since(since).Microseconds()) / 1000
	la.host.log().Debug(fmt.Sprintf("%s has its secrets, which a path led to for %.1f ms", la.title(), window),
		append(la.fields("secrets-delivered"), zap.Int("secrets", len(la.secrets)), zap.Float64("window_ms", window))...)
}
