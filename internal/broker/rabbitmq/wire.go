package rabbitmq

import (
	"net"
	"sync"
	"time"
)

// maxPending bounds what is written and not yet with the system, in bytes; beyond it writers wait, for no longer than the limit of a write.
const maxPending = 1 << 20

// wire is a connection whose writes are gathered: the AMQP client writes every message and every acknowledgement by itself, and a system call for each
// costs more than all the rest. A goroutine passes on what came since its last write, so that nothing waits while it is idle. No write takes longer
// than the limit: a server that does not read costs the connection.
type wire struct {
	net.Conn
	limit time.Duration
	// wake has room for one token: there is something to write, or the end.
	wake chan struct{}

	mu sync.Mutex

	// room is told when pending was taken, or the wire ended. It uses mu.
	room    *sync.Cond
	pending []byte
	closing bool
	err     error
}

func newWire(c net.Conn, limit time.Duration) *wire {
	w := &wire{Conn: c, limit: limit, wake: make(chan struct{}, 1)}
	w.room = sync.NewCond(&w.mu)
	return w
}

// Write keeps a copy for the goroutine of run. An error is the one that an earlier write ended with.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) > maxPending && w.err == nil && !w.closing {
		w.room.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.closing {
		return 0, net.ErrClosed
	}
	w.pending = append(w.pending, p...)
	w.notify()
	return len(p), nil
}

func (w *wire) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until the wire is closed, and closes the connection.
func (w *wire) run() {
	var spare []byte
	for range w.wake {
		p, last := w.take(spare)
		if err := w.pass(p, last); err != nil {
			w.fail(err)
			return
		}
		if last {
			w.fail(net.ErrClosed)
			return
		}
		spare = p[:0]
	}
}

// take gives what is to be written, and leaves the spare room for what comes.
func (w *wire) take(spare []byte) (p []byte, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, w.pending = w.pending, spare
	w.room.Broadcast()
	return p, w.closing
}

func (w *wire) pass(p []byte, last bool) error {
	if len(p) == 0 {
		return nil
	}
	limit := w.limit
	if last {
		limit = min(limit, time.Second)
	}
	if err := w.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	_, err := w.Conn.Write(p)
	return err
}

// fail ends the wire at once: readers and writers get an error.
func (w *wire) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.room.Broadcast()
	w.notify()
	w.mu.Unlock()
	_ = w.Conn.Close() //nolint:errcheck // Whoever reads or writes learns of it.
}

// failure gives why the wire ended; nil while it holds.
func (w *wire) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close lets run write what is left, for a second at most, and then close the connection.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	w.room.Broadcast()
	w.notify()
	return nil
}
