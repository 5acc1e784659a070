package sdk_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
)

// stage serves recorded answers, each at an address of its own, whatever is asked there.
type stage struct {
	server *httptest.Server

	mu      sync.Mutex
	answers []answer
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// put serves an answer and gives its base URL, without a slash at its end.
func (s *stage) put(a answer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, a)
	return s.server.URL + "/" + strconv.Itoa(len(s.answers)-1)
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(s.answers) {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	a := s.answers[n]
	s.mu.Unlock()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	// In pieces that fit neither events nor lines, as networks give them.
	const piece = 1021
	for body := a.body; len(body) > 0; {
		n := min(piece, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		body = body[n:]
		_ = http.NewResponseController(w).Flush() //nolint:errcheck // What was not flushed comes later.
	}
}

// recorded makes the answer of a fixture. Headers that speak of the recorded connection are left out.
func recorded(f *dialecttest.Fixture, frame func([][]byte) []byte, streamType string) answer {
	a := answer{status: f.Status, header: http.Header{"Content-Type": {"application/json"}}, body: f.Body}
	for name, v := range f.Header {
		switch strings.ToLower(name) {
		case "content-length", "content-encoding", "transfer-encoding", "connection", "content-type":
		default:
			a.header.Set(name, v)
		}
	}
	if f.Form == "chunks" {
		a.body = frame(f.Payloads)
	}
	if f.Streamed() && f.Status == http.StatusOK {
		a.header.Set("Content-Type", streamType)
	}
	return a
}
