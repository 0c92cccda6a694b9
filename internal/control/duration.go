package control

import (
	"fmt"
	"time"
)

// Duration is one in JSON, as text: "1m30s".
type Duration time.Duration

// MarshalText is what time.Duration shows.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText refuses what is negative: nothing here can last that long.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err == nil && parsed < 0 {
		err = fmt.Errorf("negative duration %s", parsed)
	}
	*d = Duration(parsed)
	return err
}
