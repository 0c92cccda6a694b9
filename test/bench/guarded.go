package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gatewayd/gatewayd/test/bench/figures"
	"github.com/gatewayd/gatewayd/test/bench/service"
)

// Guarded is what gatewayd's own records say of launches with a secret.
type Guarded struct {
	Window []float64 `json:"secret_window_ms"` // while a path of the host led to the value
	Verify []float64 `json:"verify_ms"`        // in which the isolation was read back and compared
}

// guarded is a column that stands in no table: launches with a secret in a file.
func guarded(ctx context.Context, dir, rootfs, address string) (*column, error) {
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("not to be shown to anybody"), 0o600); err != nil {
		return nil, err
	}
	c, err := gatewayd(ctx, keyGuarded, dir, rootfs, address, true)
	if err != nil {
		return nil, err
	}
	configuration := filepath.Join(dir, keyGuarded+".toml")
	text, err := os.ReadFile(configuration)
	if err != nil {
		return nil, err
	}
	text = fmt.Appendf(nil, "log_level = \"debug\"\n%s\n[[gateway.web.secret]]\nname = \"token\"\nsource = \"file:%s\"\nas = \"file\"\n", text, secret)
	return c, os.WriteFile(configuration, text, 0o600)
}

// launches has the guarded column launch n times, and asks the journal how that
// went.
func (b *bench) launches(ctx context.Context, n int) (g Guarded, err error) {
	defer func() { err = errors.Join(err, b.guarded.Stop(ctx)) }()
	if _, err := b.guarded.Unit.Start(ctx); err != nil {
		return g, err
	}
	for range n {
		if err := service.Pause(ctx, 1500*time.Millisecond); err != nil {
			return g, err
		}
		if _, err := b.guarded.Kill(ctx); err != nil {
			return g, err
		}
	}
	if err := service.Pause(ctx, time.Second); err != nil { // the last records are on their way
		return g, err
	}
	if g.Window, err = b.recorded(ctx, "secrets-delivered", "WINDOW_MS", strconv.ParseFloat); err != nil {
		return g, err
	}
	g.Verify, err = b.recorded(ctx, "posture", "TOOK", duration)
	return g, err
}

func duration(text string, _ int) (float64, error) {
	d, err := time.ParseDuration(text)
	return figures.Milliseconds(d), err
}

// recorded returns the values of a field in the records of an event.
func (b *bench) recorded(ctx context.Context, event, field string, parse func(string, int) (float64, error)) ([]float64, error) {
	out, err := exec.CommandContext(ctx, "journalctl", "--user-unit", b.guarded.Unit.Name, "EVENT="+event, "--output=json").Output()
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", b.guarded.Unit.Name, err)
	}
	var all []float64
	for line := range bytes.Lines(out) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("read the journal of %s: %w", b.guarded.Unit.Name, err)
		}
		text, _ := record[field].(string)
		value, err := parse(text, 64)
		if err != nil {
			return nil, fmt.Errorf("read %s of EVENT=%s: %w", field, event, err)
		}
		all = append(all, value)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no EVENT=%s in the journal of %s", event, b.guarded.Unit.Name)
	}
	return all, nil
}

func (g Guarded) words() string {
	return fmt.Sprintf("A path of the host leads to a secret for %s, while the container is created; reading the isolation back takes %s, beside the first requests; in %d launches.",
		spread(g.Window), spread(g.Verify), len(g.Window))
}
