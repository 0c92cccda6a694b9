package launch

import "slices"

// secretState is a secret of a launch. The value goes from image to image in
// memory alone.
type secretState struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// fileSecret is the name of the file that a secret is rewritten by.
func fileSecret(name string) string { return "secret." + name }

func (la *launch) packSecrets(s *launchState, pack Pack) error {
	for _, secret := range la.secrets {
		s.Secrets = append(s.Secrets, secretState{secret.of.Name, secret.value})
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
		la.host.Redact.Add(s.Gateway.Name+"/"+of.Name, s.Secrets[i].Value)
		la.secrets = append(la.secrets, secret{of: of, value: s.Secrets[i].Value, file: named(fileSecret(of.Name))})
	}
}
