package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// flushEvery and flushAt bound how long and how much is collected before it is written.
	flushEvery = 50 * time.Millisecond
	flushAt    = 32 << 10
	// sinkBound is what may wait while the reader of the log stalls: some 2,000 requests.
	sinkBound = 1 << 20
	// keepBound is how large a buffer may be that is kept for later.
	keepBound = 256 << 10
	// patience is how long a writer waits for room. After one wait in vain all lines are dropped until there is room
	// again, so that a dead reader costs a request once and not every one.
	patience = 100 * time.Millisecond
)

// Sink collects log lines and writes them in one piece. A line is whole: it is written completely or counted as lost.
// While Run is not running every line is written at once.
type Sink struct {
	out      io.Writer
	lostLine func(n int64) []byte
	count    prometheus.Counter

	flushing sync.Mutex // held while out is written to; before mu

	mu       sync.Mutex
	buf      []byte
	spare    []byte
	lost     int64         // lines lost and not yet said
	overflow bool          // a wait was in vain, lines are dropped until there is room
	room     chan struct{} // closed when the buffer was taken; nil while nobody waits for that
	running  bool

	kick chan struct{} // capacity 1: one reminder is as good as many
}

// NewSink makes a sink that writes to out; lostLine makes the line that says how many lines were lost.
func NewSink(out io.Writer, lostLine func(n int64) []byte) *Sink {
	return &Sink{out: out, lostLine: lostLine, buf: make([]byte, 0, 2*flushAt), spare: make([]byte, 0, 2*flushAt), kick: make(chan struct{}, 1)}
}

// Write takes one or more whole lines. It never fails: a line that can't be kept is counted.
func (s *Sink) Write(lines []byte) (int, error) {
	s.mu.Lock()
	if len(s.buf) > 0 && len(s.buf)+len(lines) > sinkBound && s.running && !s.overflow {
		s.wait(len(lines))
	}
	if len(s.buf) > 0 && len(s.buf)+len(lines) > sinkBound && s.running {
		s.overflow = true
		s.drop(1)
		s.mu.Unlock()
		return len(lines), nil
	}
	s.buf = append(s.buf, lines...)
	full, direct := len(s.buf) >= flushAt, !s.running
	s.mu.Unlock()
	switch {
	case direct:
		_ = s.Flush() // What could not be written is counted, and said when writing works again.
	case full:
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
	return len(lines), nil
}

// wait gives up mu until there is room or patience ends.
func (s *Sink) wait(n int) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(s.buf)+n > sinkBound && s.running && !s.overflow {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
			s.mu.Lock()
		case <-timer.C:
			s.mu.Lock()
			return
		}
	}
}

// drop counts lines that are lost; mu is held.
func (s *Sink) drop(n int64) {
	s.lost += n
	if s.count != nil {
		s.count.Add(float64(n))
	}
}

// Flush writes what has been collected.
func (s *Sink) Flush() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	taken, lost := s.buf, s.lost
	s.buf, s.spare, s.lost, s.overflow = s.spare[:0], nil, 0, false
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	s.mu.Unlock()

	if lost > 0 {
		taken = append(taken, s.lostLine(lost)...)
	}
	var err error
	if len(taken) > 0 {
		_, err = s.out.Write(taken)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		// Not every one of them may be lost, but none is known to have arrived.
		failed := lines(taken)
		if lost > 0 {
			failed--
			s.lost += lost // Counted already, only not said.
		}
		s.drop(failed)
		err = fmt.Errorf("write the log: %w", err)
	}
	s.spare = taken[:0]
	if cap(s.spare) > keepBound {
		s.spare = make([]byte, 0, 2*flushAt)
	}
	return err
}

func lines(b []byte) (n int64) {
	for _, c := range b {
		if c == '\n' {
			n++
		}
	}
	return n
}

// Run owns the buffer until ctx ends: it writes every 50 ms, and sooner when much has been collected.
func (s *Sink) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return errors.New("the log is already run")
	}
	s.running = true
	s.mu.Unlock()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.running = false
			s.mu.Unlock()
			return s.Flush()
		case <-tick.C:
		case <-s.kick:
		}
		s.mu.Lock()
		idle := len(s.buf) == 0 && s.lost == 0
		s.mu.Unlock()
		if !idle {
			_ = s.Flush() // Counted; an error here must not end the owner, the next write may work.
		}
	}
}

// Close writes what is left. Lines that come later are written at once.
func (s *Sink) Close() error { return s.Flush() }
