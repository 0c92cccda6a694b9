package redact

import (
	b64 "encoding/base64"
	hexadecimal "encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoded is a value in one of the forms that the package comment promises.
type encoded struct{ how, text string }

// encodings makes them without any help of the package.
func encodings(value string) []encoded {
	all := []encoded{{"plain", value}}
	add := func(how, text string) { all = append(all, encoded{how, text}) }
	for name, e := range map[string]*b64.Encoding{"std": b64.StdEncoding, "url": b64.URLEncoding, "raw": b64.RawStdEncoding, "rawurl": b64.RawURLEncoding} {
		for before := range 4 {
			for after := range 3 {
				text := e.EncodeToString([]byte("\x9c\xa1z"[:before%4] + value + "\xfez\x01"[:after]))
				add(fmt.Sprintf("base64 %s %d %d", name, before, after), text)
			}
		}
		add("base64 "+name+" wrapped", wrap(e.EncodeToString([]byte("user:"+value)), 9, "\n"))
		add("base64 "+name+" wrapped and indented", wrap(e.EncodeToString([]byte("user:"+value)), 64, "\r\n    "))
		add("base64 "+name+" in JSON", strings.ReplaceAll(wrap(e.EncodeToString([]byte("user:"+value)), 64, `\n`), "/", `\/`))
		add("base64 "+name+" in a URL", url.QueryEscape(e.EncodeToString([]byte(value))))
	}
	digits := hexadecimal.EncodeToString([]byte(value))
	add("hex", digits)
	add("HEX", strings.ToUpper(digits))
	add("hex at an odd place", "f"+digits+"f")
	add("hex with colons", spread(digits, ":"))
	add("hex with blanks", spread(digits, " "))
	add("hex wrapped", wrap(spread(digits, ":"), 15, "\n    "))
	add(`\x`, `\x`+spread(digits, `\x`))
	add("%", "%"+spread(digits, "%"))
	add("%, mixed", mixed("%"+spread(digits, "%")))
	add("query", url.QueryEscape(value))
	add("query, lower", lowerEscapes(url.QueryEscape(value)))
	add("path", url.PathEscape(value))
	add("%20", strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	add("quoted", inside(strconv.Quote(value)))
	add("quoted to ASCII", inside(strconv.QuoteToASCII(value)))
	add("CR LF", strings.ReplaceAll(value, "\n", "\r\n"))
	add("indented", strings.ReplaceAll(value, "\n", "\n    "))
	add("one line", strings.Join(strings.Fields(value), " "))
	if utf8.ValidString(value) {
		text, _ := json.Marshal(value)
		add("json", inside(string(text)))
		add(`json with \/`, strings.ReplaceAll(inside(string(text)), "/", `\/`))
		add("json in full", units(value, `\u%04x`))
		add("json in full, upper", units(value, `\u%04X`))
	}
	return all
}

func wrap(text string, width int, with string) string {
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + with)
		text = text[width:]
	}
	return b.String() + text
}

func spread(digits, with string) string {
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, with)
}

func mixed(text string) string {
	b := []byte(text)
	for i := range b {
		if i%2 == 0 {
			b[i] = strings.ToUpper(text[i : i+1])[0]
		}
	}
	return string(b)
}

// lowerEscapes lowers only what is after "%".
func lowerEscapes(text string) string {
	parts := strings.Split(text, "%")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToLower(p[:2]) + p[2:]
	}
	return strings.Join(parts, "%")
}

func inside(quoted string) string { return quoted[1 : len(quoted)-1] }

func units(value, format string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(value)) {
		fmt.Fprintf(&b, format, unit)
	}
	return b.String()
}
