package launch

import (
	"crypto/sha256"
	"slices"
)

// secretState is a secret that a launch has. Its value goes to the next image
// among those that must not be shown.
type secretState struct {
	Name string            `json:"name"`
	Sum  [sha256.Size]byte `json:"sum"`
}

// fileSecret is the name of the file that a secret is rewritten by.
func fileSecret(name string) string { return "secret." + name }

func (la *launch) packSecrets(s *launchState, pack Pack) error {
	for _, secret := range la.secrets {
		s.Secrets = append(s.Secrets, secretState{secret.of.Name, secret.sum})
		if secret.file == nil {
			continue
		}
		if err := pack(fileSecret(secret.of.Name), secret.file); err != nil {
			return err
		}
	}
	return nil
}

func (la *launch) restoreSecrets(s launchState, named Given) {
	for _, of := range s.Gateway.Secrets {
		i := slices.IndexFunc(s.Secrets, func(state secretState) bool { return state.Name == of.Name })
		if i < 0 {
			continue // it was not there, and not required
		}
		la.secrets = append(la.secrets, secret{of: of, sum: s.Secrets[i].Sum, file: named(fileSecret(of.Name))})
	}
}
