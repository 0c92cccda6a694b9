package redact

import (
	"bytes"
	b64 "encoding/base64"
	hexadecimal "encoding/hex"
	"regexp"
	"strconv"
	"strings"
)

// occurs searches text for value in the plainest way that there is: it knows no
// automaton, and decodes a whole text or makes the whole encoded value. Generous,
// it also finds what is not promised to be found.
func occurs(text []byte, value []byte, generous bool) bool {
	for _, t := range [][]byte{text, unescaped(text), unpercented(text)} {
		if bytes.Contains(plainly(t), plainly(value)) || inHex(t, value, generous) || inBase64(t, value, generous) {
			return true
		}
	}
	return false
}

var blankRun = regexp.MustCompile(`[ \t\n\v\f\r+]+`)

func plainly(text []byte) []byte {
	return blankRun.ReplaceAll(bytes.Trim(text, blanks), []byte(" "))
}

var (
	percents = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	escapes  = regexp.MustCompile(`\\(["'\\/` + "`" + `0abfnrtve]|x[0-9A-Fa-f]{2}|u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})`)
)

func unpercented(text []byte) []byte {
	return percents.ReplaceAllFunc(text, func(e []byte) []byte {
		b, _ := hexadecimal.DecodeString(string(e[1:]))
		return b
	})
}

func unescaped(text []byte) []byte {
	return escapes.ReplaceAllFunc(text, func(e []byte) []byte {
		switch {
		case e[1] == 'x':
			b, _ := hexadecimal.DecodeString(string(e[2:]))
			return b
		case e[1] == 'u' && len(e) == 12:
			high, _ := strconv.ParseUint(string(e[2:6]), 16, 32)
			low, _ := strconv.ParseUint(string(e[8:]), 16, 32)
			return []byte(string(rune((high-0xd800)<<10 + (low - 0xdc00) + 0x10000)))
		case e[1] == 'u', e[1] == 'U':
			r, _ := strconv.ParseUint(string(e[2:]), 16, 32)
			return []byte(string(rune(uint32(r))))
		}
		return []byte{map[byte]byte{'0': 0, 'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, 'e': 27}[e[1]] + map[bool]byte{true: e[1]}[strings.IndexByte("\"'\\/`", e[1]) >= 0]}
	})
}

func inHex(text, value []byte, generous bool) bool {
	gap := `([0-9A-Fa-f])[ \t:\r\n]{1,24}`
	if generous {
		gap = `([0-9A-Fa-f])[ \t:\r\n]+`
	}
	text = joined(text, gap, `[0-9A-Fa-f]`)
	return bytes.Contains(bytes.ToLower(text), []byte(hexadecimal.EncodeToString(value)))
}

func inBase64(text, value []byte, generous bool) bool {
	gap := `([0-9A-Za-z+/_-])[\r\n][ \t\r\n]{0,23}`
	if generous {
		gap = `([0-9A-Za-z+/_-])[ \t\r\n]+`
	}
	text = joined(text, gap, `[0-9A-Za-z+/_-]`)
	text = []byte(strings.NewReplacer("-", "+", "_", "/").Replace(string(text)))
	for _, digits := range base64Runs.FindAll(text, -1) {
		for from := range min(4, len(digits)) {
			part := digits[from:]
			if len(part)%4 == 1 {
				part = part[:len(part)-1]
			}
			decoded, _ := b64.RawStdEncoding.DecodeString(string(part))
			if bytes.Contains(decoded, value) {
				return true
			}
		}
	}
	return false
}

var base64Runs = regexp.MustCompile(`[0-9A-Za-z+/]+`)

// joined takes away gaps between two digits.
func joined(text []byte, gap, digit string) []byte {
	begins := regexp.MustCompile(`^` + digit)
	var out []byte
	for whole := regexp.MustCompile(gap); ; {
		at := whole.FindSubmatchIndex(text)
		if at == nil {
			return append(out, text...)
		}
		out = append(out, text[:at[3]]...)
		if !begins.Match(text[at[1]:]) {
			out = append(out, text[at[3]:at[1]]...)
		}
		text = text[at[1]:]
	}
}
