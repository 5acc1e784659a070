package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/usage"
)

// What goes on without its caller, under an idempotency key, ends with the server, and its end is recorded before the server is said to have ended.
func TestTheServerEndsBehindItsLastHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	defer close(hold)
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`, Hold: hold})
	ctx, leave := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		res, err := w.send(ask{method: "POST", path: "/v1/analyze", body: askNumber, header: headers("Idempotency-Key", "k-end"), ctx: ctx})
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	for w.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // The service is real, so its clock is too.
	}
	leave()
	<-sent
	ending, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.server.End(ending); err != nil {
		t.Fatal(err)
	}
	if err := w.history.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, _, err := w.db.History().Requests(t.Context(), key.AllTeams(), usage.Filter{})
	if err != nil || len(list) != 1 || list[0].Code != "TIMEOUT" {
		t.Errorf("got %+v and %v, want the one request recorded as ended", list, err)
	}
	if a, err := w.send(ask{method: "GET", path: "/v1/me"}); err != nil || a.StatusCode != 503 {
		t.Errorf("a request behind the end: got %v and %v, want 503", a, err)
	}
}
