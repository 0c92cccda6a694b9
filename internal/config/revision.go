package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Revision is a short digest of all values of the gateway: two gateways have
// the same if and only if nothing distinguishes them. How the file is written,
// and what the environment holds, does not count.
func (g Gateway) Revision() string {
	// The syntax of Go names every field, quotes every string and sorts maps,
	// so no two gateways look alike, and no field can be forgotten here.
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", g))
	return hex.EncodeToString(sum[:8])
}
