package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

const digestPrefix = "sha256:"

var (
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	hexDigits  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sizeForm   = regexp.MustCompile(`^([0-9]+) *([A-Za-z]*)$`)
)

// digest takes the digest of a tree as "gatewayd digest" prints it.
func digest(r *report, n *node) (string, bool) {
	s, ok := text(r, n)
	if !ok || digestForm.MatchString(s) {
		return s, ok
	}
	suggestion := ""
	if digits := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), digestPrefix); hexDigits.MatchString(digits) {
		suggestion = strconv.Quote(digestPrefix + digits)
	}
	r.add(n, n.at, suggestion, quote(s)+` is no digest: want "sha256:" and 64 of 0-9 and a-f, as gatewayd digest PATH prints it`)
	return "", false
}

// largestSize is more than any file system of one host holds, and leaves room
// to add in an int64.
const largestSize = 1024 << 40

// units of a size. Powers of 1000 are not among them: whoever writes GB may mean
// either, and one of the two would be a surprise.
var units = map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

// size takes a string such as "10GiB" for a number of bytes.
func size(r *report, n *node) (int64, bool) {
	if n.kind != unstable.String {
		r.value(n, `want a size in quotes, such as "500MiB" or "10GiB", got %s`, kinds[n.kind])
		return 0, false
	}
	var number, unit string
	if parts := sizeForm.FindStringSubmatch(n.text); parts != nil {
		number, unit = parts[1], parts[2]
	}
	factor, known := units[unit]
	if !known || number+unit != n.text {
		r.add(n, n.at, nearestSize(number, unit), quote(n.text)+" is no size: want a whole number with B, KiB, MiB, GiB or TiB")
		return 0, false
	}
	value, err := strconv.ParseInt(number, 10, 64)
	if err != nil || value < 1 || value > largestSize/factor {
		r.value(n, "%s is not between 1B and 1024TiB", quote(n.text))
		return 0, false
	}
	return value * factor, true
}

// nearestSize completes a unit by its first letter: "10 gb" may mean "10GiB".
func nearestSize(number, unit string) string {
	if number == "" {
		return ""
	}
	for name := range units {
		if strings.HasPrefix(strings.ToUpper(unit), name[:1]) || unit == "" && name == "B" {
			return strconv.Quote(clip(number) + name)
		}
	}
	return ""
}
