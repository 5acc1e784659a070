package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// heartbeat is how often a silent stream shows that it lives.
const heartbeat = 15 * time.Second

// patience is how long one event may take to get out.
const patience = 30 * time.Second

// stream writes server-sent events with ids. It is safe for concurrent use: the heartbeat comes from a goroutine of its own, which close ends and waits for.
type stream struct {
	mu sync.Mutex

	w   http.ResponseWriter
	out *http.ResponseController
	n   int
	err error

	stop context.CancelFunc
	beat sync.WaitGroup
}

// openStream makes the answer an event stream.
func (c *call) openStream() {
	if c.clientID != "" { // Our own id of the request is not known yet.
		c.w.Header()["X-Request-Id"] = []string{c.clientID}
	}
	c.stream = openStream(c.r.Context(), c.w)
}

// openStream sends the headers of an event stream.
func openStream(ctx context.Context, w http.ResponseWriter) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold the events back.
	w.WriteHeader(http.StatusOK)
	ctx, stop := context.WithCancel(ctx)
	s := &stream{w: w, out: http.NewResponseController(w), stop: stop}
	s.flush()
	s.beat.Go(func() { s.alive(ctx) })
	return s
}

// alive sends a comment while nothing else is sent, for proxies that close silent connections.
func (s *stream) alive(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.mu.Lock()
			s.write([]byte(": heartbeat\n\n"))
			s.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// send writes one event; data is one line of JSON.
func (s *stream) send(event string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	msg := make([]byte, 0, len(data)+48)
	msg = append(msg, "id: "...)
	msg = strconv.AppendInt(msg, int64(s.n), 10)
	msg = append(msg, "\nevent: "...)
	msg = append(msg, event...)
	msg = append(msg, "\ndata: "...)
	msg = append(msg, data...)
	s.write(append(msg, "\n\n"...))
	return s.err
}

// pass writes events that are ready, in whatever format.
func (s *stream) pass(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(b)
	return s.err
}

// write sends bytes at once; the mutex is held.
func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
	// A reader that does not read must not hold its place for ever; writers without deadlines are those of tests.
	_ = s.out.SetWriteDeadline(time.Now().Add(patience)) //nolint:errcheck // As said.
	if _, s.err = s.w.Write(b); s.err == nil {
		s.flush()
	}
}

func (s *stream) flush() {
	if err := s.out.Flush(); err != nil && s.err == nil {
		s.err = err
	}
}

// close ends the heartbeat.
func (s *stream) close() {
	s.stop()
	s.beat.Wait()
	_ = s.out.SetWriteDeadline(time.Time{}) //nolint:errcheck // The connection's next request begins without one.
}
