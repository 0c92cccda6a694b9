package load

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// askFresh starts a request at each of its moments, however late it is itself.
func (r *runner) askFresh(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	buffers := sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}
	interval := time.Second / time.Duration(r.Fresh)
	for next := time.Now(); ; next = next.Add(interval) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		all.Go(func() {
			buffer := buffers.Get().(*[]byte)
			defer buffers.Put(buffer)
			began := Now()
			r.fresh.add(began, r.once(*buffer))
		})
	}
}

// once is a request on a connection of its own.
func (r *runner) once(buffer []byte) error {
	conn, err := r.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	return r.served(conn, buffer)
}

// served is one request and its answer.
func (r *runner) served(conn *net.TCPConn, buffer []byte) error {
	if err := conn.SetDeadline(time.Now().Add(r.Timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(r.request); err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	_, _, err := answer(conn, buffer)
	return err
}

func (r *runner) dial() (*net.TCPConn, error) {
	conn, err := (&net.Dialer{Timeout: r.Timeout, KeepAlive: -1}).Dial("tcp", r.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	tcp := conn.(*net.TCPConn)
	if err := tcp.SetLinger(0); err != nil { // reset on close
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	return tcp, nil
}
