package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

func request(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: load\r\n\r\n")
}

// answer reads one, and says whether the server closes the connection after it.
// An HTTP client would take longer than some of what is measured. The buffer is
// for the header.
func answer(r io.Reader, buffer []byte) (last bool, length int64, err error) {
	header, have, err := readHeader(r, buffer)
	if err != nil {
		return false, 0, err
	}
	if length, err = contentLength(header); err != nil {
		return false, 0, err
	}
	for have < length { // the rest of the body is not looked at
		n, err := r.Read(buffer[:min(length-have, int64(len(buffer)))])
		have += int64(n)
		if err != nil && have < length {
			return false, 0, cut(err)
		}
	}
	if !bytes.HasPrefix(header, []byte("http/1.1 200 ")) {
		line, _, _ := bytes.Cut(header, []byte("\r\n"))
		return false, 0, fmt.Errorf("%w: %s", errWrong, line)
	}
	return bytes.Contains(header, []byte("\r\nconnection: close\r\n")), length, nil
}

// readHeader returns the header, in lower case since servers differ in that, and
// how much of the body has come with it.
func readHeader(r io.Reader, buffer []byte) (header []byte, body int64, err error) {
	have := 0
	for {
		n, err := r.Read(buffer[have:])
		have += n
		if end := bytes.Index(buffer[:have], []byte("\r\n\r\n")); end >= 0 {
			header = bytes.ToLower(buffer[:end+4])
			return header, int64(have - end - 4), nil
		}
		if err != nil {
			return nil, 0, cut(err)
		}
		if have == len(buffer) {
			return nil, 0, fmt.Errorf("%w: a header of more than %d bytes", errWrong, len(buffer))
		}
	}
}

// contentLength of a header in lower case: who is asked here always says it.
func contentLength(header []byte) (int64, error) {
	_, rest, found := bytes.Cut(header, []byte("\r\ncontent-length: "))
	text, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, err := strconv.ParseInt(string(text), 10, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("%w: an answer without a Content-Length", errWrong)
	}
	return n, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
