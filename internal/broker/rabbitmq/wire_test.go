package rabbitmq

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// pipe gives a wire on a real connection, whose run is owned by the test, and the other end of it.
func pipe(t *testing.T, limit time.Duration) (w *wire, peer net.Conn, ended <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	w = newWire(c, limit)
	over := make(chan struct{})
	go func() { w.run(); close(over) }()
	t.Cleanup(func() { w.fail(net.ErrClosed); _ = peer.Close(); <-over })
	return w, peer, over
}

func TestWirePassesEveryByteInOrder(t *testing.T) {
	t.Parallel()
	w, peer, _ := pipe(t, time.Minute)
	random := rand.New(rand.NewPCG(1, 2))
	sent := make([]byte, 8<<20) // Above what may be pending, so that writers wait too.
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	var got bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, err := io.Copy(&got, peer); err != nil {
			t.Errorf("read: %v", err)
		}
	})
	for rest := sent; len(rest) > 0; {
		n := min(1+random.IntN(200_000), len(rest))
		if wrote, err := w.Write(rest[:n]); wrote != n || err != nil {
			t.Fatalf("Write = %d, %v, want %d", wrote, err, n)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil { // What was written before it still goes out.
		t.Fatal(err)
	}
	reading.Wait()
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes came of %d, or others", got.Len(), len(sent))
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write = %v after the end, want ErrClosed", err)
	}
}

func TestPeerThatDoesNotReadEndsTheWire(t *testing.T) {
	t.Parallel()
	w, _, ended := pipe(t, 200*time.Millisecond)
	var err error
	for err == nil { // The system takes some megabytes, the wire another; then writers wait, until the limit of a write is over.
		_, err = w.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %v, want the deadline", err)
	}
	<-ended
	if _, err := w.Read(make([]byte, 1)); err == nil {
		t.Error("a wire that ended can be read")
	}
}

func TestEndOfThePeerEndsWriters(t *testing.T) {
	t.Parallel()
	w, peer, ended := pipe(t, time.Minute)
	_ = peer.Close()
	var err error
	for err == nil {
		_, err = w.Write(make([]byte, 64<<10))
	}
	<-ended
	if w.failure() == nil {
		t.Error("a wire without a peer has not failed")
	}
}
