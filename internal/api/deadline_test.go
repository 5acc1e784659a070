package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// dated notes the write deadlines that a handler sets.
type dated struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

// SetWriteDeadline notes a deadline.
func (d *dated) SetWriteDeadline(t time.Time) error {
	d.deadlines = append(d.deadlines, t)
	return nil
}

func TestAnAnswerThatNobodyReadsHoldsItsPlaceForATimeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/health", "/v1/me", "/v1/requests", "/openapi.json", "/docs", "/nowhere"} {
		d := &dated{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+w.admin)
		begun := time.Now()
		w.server.Handler().ServeHTTP(d, r)
		if len(d.deadlines) != 1 || !d.deadlines[0].After(begun) || d.deadlines[0].After(begun.Add(10*time.Minute)) {
			t.Errorf("%s: %d, deadlines %v, want one that lies ahead", path, d.Code, d.deadlines)
		}
	}
}
