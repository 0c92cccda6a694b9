package service

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// spacing is the time between two questions: finer than what is measured, and
// rare enough to leave the processors to those who are measured.
const spacing = 200 * time.Microsecond

// Answers returns when the gateway at address has answered, asking on a new
// connection each time.
func Answers(ctx context.Context, address string) error {
	for {
		err := ask(address)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for an answer on %s: %w", address, err)
		case <-time.After(spacing):
		}
	}
}

// ask is one question on a bare connection: an HTTP client would be slower than
// some of what is measured.
func ask(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Reset on close: no port stays in TIME-WAIT.
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if !bytes.HasSuffix(answer, []byte(" 200")) {
		return fmt.Errorf("answer %q", answer)
	}
	return nil
}
