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

// write sends bytes at once; the mutex is held.
func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
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
}
