package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

var wholeNumber = regexp.MustCompile(`^[0-9]{1,3}$`)

// ParsePercent takes a canary's share of new connections, such as "10%". All of
// them is no share: there would be nothing to compare it with.
func ParsePercent(s string) (int, error) {
	digits, marked := strings.CutSuffix(s, "%")
	value, err := strconv.Atoi(digits)
	if !marked || err != nil || !wholeNumber.MatchString(digits) {
		return 0, errors.New(quote(s) + ` is no share of new connections, such as "10%"`)
	}
	if value > 99 {
		return 0, errors.New(quote(s) + ` is not between "0%" and "99%"`)
	}
	return value, nil
}

func percent(r *report, n *node) (int, bool) {
	if n.kind != unstable.String {
		suggestion := ""
		if wholeNumber.MatchString(n.text) {
			suggestion = strconv.Quote(n.text + "%")
		}
		r.add(n, n.at, suggestion, `want a share in quotes, such as "10%", got `+kinds[n.kind])
		return 0, false
	}
	value, err := ParsePercent(n.text)
	if err != nil {
		r.value(n, "%s", err)
		return 0, false
	}
	return value, true
}
