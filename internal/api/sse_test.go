package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink is a response that keeps what is written; it has no deadlines.
type sink struct {
	mu   sync.Mutex
	text strings.Builder
	head http.Header
}

func (s *sink) Header() http.Header { return s.head }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}
func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestSilentStreamShowsEvery15SecondsThatItLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &sink{head: http.Header{}}
		s := openStream(t.Context(), out)
		time.Sleep(14 * time.Second) // The bubble's clock: no real time passes.
		if got := out.String(); got != "" {
			t.Errorf("after 14 s: got %q, want nothing", got)
		}
		time.Sleep(32 * time.Second)
		synctest.Wait()
		if got := out.String(); got != strings.Repeat(": heartbeat\n\n", 3) {
			t.Errorf("after 46 s: got %q, want three comments", got)
		}
		if err := s.send("result", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		s.close()
		time.Sleep(time.Minute)
		if got, want := out.String(), "id: 1\nevent: result\ndata: {}\n\n"; !strings.HasSuffix(got, want) {
			t.Errorf("after the end: got %q, want %q last", got, want)
		}
	})
}

func TestHeartbeatEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		out := &sink{head: http.Header{}}
		s := openStream(ctx, out)
		leave()
		time.Sleep(time.Minute)
		if got := out.String(); got != "" {
			t.Errorf("got %q after the caller left, want nothing", got)
		}
		s.close()
	})
}
