package held

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/gatewayd/gatewayd/internal/step"
)

// keySize is that of the MAC: a longer key would not be harder to guess.
const keySize = sha256.Size

// Seal tells values apart from others, and nothing else of them. Without a value
// it is empty.
func (s Store) Seal(gateway string, values ...[]byte) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key, err := s.key(gateway)
	if err != nil {
		return "", fmt.Errorf("seal values of %s: %w", gateway, err)
	}
	mac := hmac.New(sha256.New, key)
	for _, value := range values {
		var size [8]byte // so that no value can pass for two
		binary.BigEndian.PutUint64(size[:], uint64(len(value)))
		_, _ = mac.Write(size[:]) // never fails
		_, _ = mac.Write(value)
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// key is that of a gateway's hold. One that was cut short is none.
func (s Store) key(gateway string) ([]byte, error) {
	if key, err := os.ReadFile(s.keyPath(gateway)); err == nil && len(key) == keySize {
		return key, nil
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(s.keyPath(gateway), key, 0o600); err != nil {
		return nil, err
	}
	step.Done("hold-sealed")
	return key, nil
}
