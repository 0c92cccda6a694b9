package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// leak prints what it should not, as careless programs do: in every usual
// encoding, in two pieces, and over several lines.
func leak(path string) error {
	data, err := os.ReadFile(path)
	value := strings.TrimSuffix(string(data), "\n")
	if variable, ok := strings.CutPrefix(path, "env:"); ok {
		value, err = os.Getenv(variable), nil
	}
	quoted, _ := json.Marshal(map[string]string{"secret": value})
	encoded := base64.StdEncoding.EncodeToString([]byte("a user:" + value + ":"))
	forms := []string{
		"is " + value + "!", string(quoted), strconv.QuoteToASCII(value), "/?q=" + url.QueryEscape(value), "/" + url.PathEscape(value),
		hex.EncodeToString([]byte(value)), fmt.Sprintf("%X", value), fmt.Sprintf("% x", value),
		encoded, encoded[:20] + "\n" + encoded[20:], base64.RawURLEncoding.EncodeToString([]byte("1" + value)), base64.StdEncoding.EncodeToString([]byte("12" + value)),
	}
	for _, form := range forms {
		for i, w := range []*os.File{os.Stdout, os.Stderr} {
			half := len(form) / (2 + i)
			_, err1 := w.WriteString("leak: " + form[:half])
			time.Sleep(time.Millisecond) // so that it is read in two pieces
			_, err2 := w.WriteString(form[half:] + "\n")
			err = errors.Join(err, err1, err2)
		}
	}
	return errors.Join(err, line(os.Stdout, "leaked"))
}

// backwards prints it as nobody would look for it.
func backwards(path string) error {
	data, err := os.ReadFile(path)
	var reversed []byte
	for _, b := range []byte(strings.TrimSuffix(string(data), "\n")) {
		reversed = append([]byte{b}, reversed...)
	}
	fmt.Printf("%s\n", reversed)
	return err
}

// complain is sick with the content of a file as its answer.
func complain(path string) error {
	data, err := os.ReadFile(path)
	complaint.Store(string(data))
	sick.Store(true)
	return err
}
