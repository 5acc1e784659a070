package observe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func lostLine(n int64) []byte { return fmt.Appendf(nil, "lost %d\n", n) }

// stalling is a reader that takes nothing until it is told to.
type stalling struct {
	output
	wait chan struct{}
}

func (s *stalling) Write(p []byte) (int, error) {
	<-s.wait
	return s.output.Write(p)
}

func run(t *testing.T, s *Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1) // one result
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	}
}

func TestSinkWritesEveryFiftyMilliseconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		s := NewSink(out, lostLine)
		stop := run(t, s)
		_, _ = s.Write([]byte("one\n"))
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("%q was written before its time", out)
		}
		<-time.After(flushEvery + time.Millisecond)
		synctest.Wait()
		if out.String() != "one\n" {
			t.Errorf("after %v %q was written, want one line", flushEvery, out)
		}
		_, _ = s.Write([]byte("two\n"))
		stop()
		if out.String() != "one\ntwo\n" {
			t.Errorf("at the end %q was written, want both lines", out)
		}
		_, _ = s.Write([]byte("late\n"))
		if !strings.HasSuffix(out.String(), "late\n") {
			t.Errorf("a line after the end is missing: %q", out)
		}
	})
}

func TestSinkWritesSoonerWhenMuchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		s := NewSink(out, lostLine)
		defer run(t, s)()
		_, _ = s.Write([]byte(strings.Repeat("x", flushAt) + "\n"))
		synctest.Wait() // No time passes.
		if len(out.String()) != flushAt+1 {
			t.Errorf("%d bytes were written at once, want %d", len(out.String()), flushAt+1)
		}
	})
}

func TestSinkLosesNothingWhenTheReaderIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stalling{wait: make(chan struct{})}
		s := NewSink(out, lostLine)
		stop := run(t, s)
		line := []byte(strings.Repeat("y", 1023) + "\n")
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 4 * sinkBound / len(line) {
				_, _ = s.Write(line)
			}
		})
		ended, reader := make(chan struct{}), sync.WaitGroup{}
		reader.Go(func() {
			for {
				// Faster than patience, slower than the writers.
				select {
				case out.wait <- struct{}{}:
					<-time.After(patience / 2)
				case <-ended:
					return
				}
			}
		})
		wg.Wait()
		stop()
		close(ended)
		reader.Wait()
		if got := strings.Count(out.String(), "\n"); got != 4*sinkBound/len(line) || strings.Contains(out.String(), "lost") {
			t.Errorf("%d lines arrived, want %d", got, 4*sinkBound/len(line))
		}
	})
}

func TestSinkCountsWhatADeadReaderLoses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stalling{wait: make(chan struct{})}
		s := NewSink(out, lostLine)
		m := NewMetrics(Build{})
		s.count = m.logLost
		stop := run(t, s)
		line := []byte(strings.Repeat("z", 1023) + "\n")
		begun := time.Now()
		const sent = 3 * sinkBound / 1024
		for range sent {
			_, _ = s.Write(line)
		}
		if waited := time.Since(begun); waited != patience {
			t.Errorf("the writers waited %v in all, want %v: once and no more", waited, patience)
		}
		close(out.wait)
		stop()
		arrived := strings.Count(out.String(), "z\n")
		lost := sent - arrived
		if lost <= 0 || !strings.HasSuffix(out.String(), fmt.Sprintf("lost %d\n", lost)) {
			t.Errorf("%d of %d lines arrived; the log does not end with the count of those that did not: …%q", arrived, sent, out.String()[len(out.String())-20:])
		}
		if !strings.Contains(scrape(t, m), fmt.Sprintf("log_lines_lost_total %d\n", lost)) {
			t.Errorf("the metric does not say %d", lost)
		}
	})
}

// broken fails until it is mended.
type broken struct {
	output
	err error
}

func (b *broken) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.output.Write(p)
}

func TestSinkSaysWhatAFailedWriteLost(t *testing.T) {
	t.Parallel()
	out := &broken{err: errors.New("no space left")}
	s := NewSink(out, lostLine)
	m := NewMetrics(Build{})
	s.count = m.logLost
	_, _ = s.Write([]byte("a\nb\n"))
	_, _ = s.Write([]byte("c\n"))
	if err := s.Close(); err == nil {
		t.Error("Close() found nothing wrong")
	}
	out.err = nil
	_, _ = s.Write([]byte("d\n"))
	if out.String() != "d\nlost 3\n" {
		t.Errorf("the log is %q, want d and the count of three", out)
	}
	if !strings.Contains(scrape(t, m), "log_lines_lost_total 3\n") {
		t.Error("the metric does not say 3: lines were counted twice, or not at all")
	}
}

func TestErrorsAreWrittenThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &output{}
		seen, err := New(Config{Service: "promptd", Out: out})
		if err != nil {
			t.Fatal(err)
		}
		defer run(t, seen.sink)()
		seen.Log.Info("first")
		seen.Log.Error("then")
		if got := records(t, out.String()); len(got) != 2 {
			t.Errorf("%d lines are written with no time passed, want 2: an error must survive the process", len(got))
		}
	})
}

func TestOnlyOneOwnerRunsASink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSink(&output{}, lostLine)
		defer run(t, s)()
		if err := s.Run(t.Context()); err == nil {
			t.Error("a second Run was allowed")
		}
	})
}
