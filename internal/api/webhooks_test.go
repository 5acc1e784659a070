package api_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
)

// hooks lets the world's webhooks reach this machine.
func (w *world) hooks() *delivery.Hooks {
	policy := delivery.Policy{AllowPrivate: true}
	transport := delivery.NewHTTP(delivery.HTTPConfig{Policy: policy})
	w.tb.Cleanup(transport.Close)
	return &delivery.Hooks{
		Registry: w.db.Deliveries(), Log: w.db.Deliveries(), Transport: transport, Policy: policy, Random: rand.Reader,
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	}
}

// receiver is a caller's own server: it notes what it gets and answers as it is told.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(tb testing.TB, status int) *receiver {
	tb.Helper()
	r := &receiver{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			tb.Errorf("read a message: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header.Clone(), raw})
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "heard 🙂 "+strings.Repeat("x", 3000))
	}))
	tb.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.got...)
}

func wantStatus(t *testing.T, a answer, want int) {
	t.Helper()
	if a.status != want {
		t.Fatalf("got %d %s, want %d", a.status, a.body, want)
	}
}

// read decodes an answer.
func read[T any](tb testing.TB, raw string) (out T) {
	tb.Helper()
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		tb.Fatalf("read %s: %v", raw, err)
	}
	return out
}

func TestAWebhookIsMadeShownChangedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to := newReceiver(t, http.StatusNoContent)
	created := w.do(ask{method: "POST", path: "/v1/webhooks", body: fmt.Sprintf(`{"url": %q, "events": ["job.failed", "job.failed"]}`, to.URL)})
	wantStatus(t, created, http.StatusCreated)
	made := read[client.Webhook](t, created.body)
	if !strings.HasPrefix(made.Secret, "whsec_") || len(made.Events) != 1 || !made.Enabled || made.URL != to.URL {
		t.Errorf("made was %+v", made)
	}
	path := "/v1/webhooks/" + made.ID
	for _, a := range []ask{{method: "GET", path: path}, {method: "GET", path: "/v1/webhooks"}} {
		if r := w.do(a); r.status != http.StatusOK || strings.Contains(r.body, "whsec_") || !strings.Contains(r.body, made.ID) {
			t.Errorf("%s: %d %s: want the webhook without its secret", a.path, r.status, r.body)
		}
	}
	changed := read[client.Webhook](t, w.do(ask{method: "PATCH", path: path, body: `{"events": [], "enabled": false}`}).body)
	if changed.Enabled || changed.DisabledReason == "" || len(changed.Events) != 0 || changed.URL != to.URL {
		t.Errorf("changed is %+v, want it disabled, for all events, at the same URL", changed)
	}
	if back := read[client.Webhook](t, w.do(ask{method: "PATCH", path: path, body: `{"enabled": true}`}).body); !back.Enabled || back.DisabledReason != "" {
		t.Errorf("enabled again is %+v", back)
	}
	wantStatus(t, w.do(ask{method: "DELETE", path: path}), http.StatusNoContent)
	wantStatus(t, w.do(ask{method: "GET", path: path}), http.StatusNotFound)
	wantStatus(t, w.do(ask{method: "DELETE", path: path}), http.StatusNotFound)
	if r := w.do(ask{method: "GET", path: "/v1/webhooks"}); strings.TrimSpace(r.body) != `{"data":[]}` {
		t.Errorf("the empty list is %s", r.body)
	}
}

func TestAWebhooksFaultsNameTheField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := read[client.Webhook](t, w.do(ask{method: "POST", path: "/v1/webhooks", body: `{"url": "https://example.com/"}`}).body)
	path := "/v1/webhooks/" + made.ID
	for _, c := range []struct{ method, path, body, pointer string }{
		{"POST", "/v1/webhooks", `{}`, "/url"},
		{"POST", "/v1/webhooks", `{"url": ""}`, "/url"},
		{"POST", "/v1/webhooks", `{"url": "ftp://example.com/"}`, "/url"},
		{"POST", "/v1/webhooks", `{"url": "https://169.254.169.254/latest/meta-data"}`, "/url"},
		{"POST", "/v1/webhooks", `{"url": "https://example.com/", "events": ["job.done"]}`, "/events/0"},
		{"POST", "/v1/webhooks", `{"url": "https://example.com/", "secret": "whsec_short"}`, "/secret"},
		{"POST", "/v1/webhooks", `{"url": "https://example.com/", "event": []}`, "/event"},
		{"PATCH", path, `{"url": "https://u:p@example.com/"}`, "/url"},
		{"PATCH", path, `{"events": ["ping"]}`, "/events/0"},
		{"PATCH", path, `{"secret": "whsec_"}`, "/secret"},
		{"POST", path + "/rotate", `{"secret": "x"}`, "/secret"},
	} {
		r := w.do(ask{method: c.method, path: c.path, body: c.body})
		p := r.problem(t, http.StatusBadRequest, "INVALID_REQUEST")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != c.pointer || p.Errors[0].Message == "" || p.Errors[0].Hint == "" {
			t.Errorf("%s %s: got %s, want one fault at %s with a hint", c.method, c.body, r.body, c.pointer)
		}
	}
}

func TestAPingIsSignedAndItsAnswerShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to := newReceiver(t, http.StatusOK)
	made := read[client.Webhook](t, w.do(ask{method: "POST", path: "/v1/webhooks", body: fmt.Sprintf(`{"url": %q}`, to.URL)}).body)
	path := "/v1/webhooks/" + made.ID
	pong := read[client.WebhookPing](t, w.do(ask{method: "POST", path: path + "/ping"}).body)
	if !pong.Delivered || pong.Attempt.Status != 200 || !strings.HasPrefix(pong.Attempt.Answer, "heard 🙂") || len(pong.Attempt.Answer) > 1024 {
		t.Errorf("the pong is %+v", pong)
	}
	rotated := read[client.Webhook](t, w.do(ask{method: "POST", path: path + "/rotate"}).body)
	if rotated.Secret == made.Secret || rotated.PreviousUntil.Before(time.Now().Add(23*time.Hour)) {
		t.Errorf("rotated is %+v, want another secret and a day of overlap", rotated)
	}
	to.answer(http.StatusTeapot)
	pong = read[client.WebhookPing](t, w.do(ask{method: "POST", path: path + "/ping", body: `{}`}).body)
	if pong.Delivered || pong.Attempt.Status != http.StatusTeapot || pong.Attempt.Error != "status" {
		t.Errorf("the second pong is %+v, want one that was refused with 418", pong)
	}
	got := to.all()
	if len(got) != 2 {
		t.Fatalf("%d messages came, want 2", len(got))
	}
	for i, secrets := range [][]string{{made.Secret}, {made.Secret, rotated.Secret}} {
		for _, secret := range secrets {
			e, err := client.VerifyWebhook(secret, got[i].header, got[i].body)
			if err != nil || e.Type != "ping" {
				t.Errorf("message %d: %v, %+v, want a ping signed with that secret", i, err, e)
			}
		}
	}
	if _, err := client.VerifyWebhook(rotated.Secret, got[0].header, got[0].body); err == nil {
		t.Error("the first message is signed with a secret that was not made yet")
	}
	to.Close()
	pong = read[client.WebhookPing](t, w.do(ask{method: "POST", path: path + "/ping"}).body)
	if pong.Delivered || pong.Attempt.Status != 0 || pong.Attempt.Error != "connect" {
		t.Errorf("the pong of a target that is gone is %+v", pong)
	}
}

func TestAWebhooksSecretIsShownAgainToTheSameRepetitionAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	once := ask{method: "POST", path: "/v1/webhooks", body: `{"url": "https://example.com/"}`, header: http.Header{"Idempotency-Key": {"k"}}}
	first, second := w.do(once), w.do(once)
	if first.status != http.StatusCreated || first.body != second.body {
		t.Errorf("a repetition gives %d %s, want %s", second.status, second.body, first.body)
	}
	if list := read[client.List[client.Webhook]](t, w.do(ask{method: "GET", path: "/v1/webhooks"}).body); len(list.Data) != 1 {
		t.Errorf("%d webhooks were made, want 1", len(list.Data))
	}
}

func TestAnotherTeamsWebhooksAndDeliveriesDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := read[client.Webhook](t, w.do(ask{method: "POST", path: "/v1/webhooks", body: `{"url": "https://example.com/"}`}).body)
	d := w.deliver(t, delivery.EndpointID(made.ID))
	other := w.newKey(key.Key{Name: "other", Team: "other", Scopes: key.AllScopes})
	for _, a := range []ask{
		{method: "GET", path: "/v1/webhooks/" + made.ID},
		{method: "PATCH", path: "/v1/webhooks/" + made.ID, body: `{"enabled": false}`},
		{method: "DELETE", path: "/v1/webhooks/" + made.ID},
		{method: "POST", path: "/v1/webhooks/" + made.ID + "/rotate"},
		{method: "POST", path: "/v1/webhooks/" + made.ID + "/ping"},
		{method: "GET", path: "/v1/deliveries/" + d},
		{method: "POST", path: "/v1/deliveries/" + d + "/redeliver"},
	} {
		a.key = other
		wantStatus(t, w.do(a), http.StatusNotFound)
	}
	for _, path := range []string{"/v1/webhooks", "/v1/deliveries"} {
		if r := w.do(ask{method: "GET", path: path, key: other}); strings.TrimSpace(r.body) != `{"data":[]}` {
			t.Errorf("%s shows another team %s", path, r.body)
		}
	}
	scoped := w.newKey(key.Key{Name: "scoped", Scopes: key.ScopesOf(key.Analyze)})
	wantStatus(t, w.do(ask{method: "GET", path: "/v1/webhooks", key: scoped}), http.StatusForbidden)
}

// deliver makes the delivery of a job's end to every endpoint, and gives the id of the one to this.
func (w *world) deliver(t *testing.T, to delivery.EndpointID) string {
	t.Helper()
	m := delivery.JobMessage(key.DefaultTeam, uuid.Must(uuid.NewV7()).String(), delivery.JobCompleted, 1, time.Now())
	m.Payload = delivery.Envelope(m.Event, m.At, json.RawMessage(`{"job_id": "x"}`))
	if _, err := w.db.Deliveries().Announce(t.Context(), "test", 1, []delivery.Message{m}); err != nil {
		t.Fatal(err)
	}
	list, _, err := w.db.Deliveries().Deliveries(t.Context(), key.OfTeam(key.DefaultTeam), delivery.Filter{Job: m.Job, Endpoint: to, Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("the delivery was not made: %v %v", list, err)
	}
	return string(list[0].ID)
}

func TestADeliveryIsShownAndSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to := newReceiver(t, http.StatusOK)
	made := read[client.Webhook](t, w.do(ask{method: "POST", path: "/v1/webhooks", body: fmt.Sprintf(`{"url": %q}`, to.URL)}).body)
	id := w.deliver(t, delivery.EndpointID(made.ID))
	sender := delivery.NewSender(delivery.SenderConfig{
		Store: w.db.Deliveries(), Composer: nil, Transport: w.hooks().Transport, NewID: uuid.NewString, Poll: 10 * time.Millisecond,
		OnError: func(err error) { t.Errorf("the sender: %v", err) },
	})
	w.run(sender.Run)
	delivered := func(attempts int) client.Delivery {
		t.Helper()
		for {
			d := read[client.Delivery](t, w.do(ask{method: "GET", path: "/v1/deliveries/" + id}).body)
			if d.Attempts == attempts && d.Status == "delivered" {
				return d
			}
			if t.Context().Err() != nil {
				t.Fatalf("the delivery is %+v", d)
			}
		}
	}
	d := delivered(1)
	if d.WebhookID != made.ID || d.Event != "job.completed" || len(d.Log) != 1 || d.Log[0].Status != 200 || d.EndedAt.IsZero() {
		t.Errorf("delivered is %+v", d)
	}
	again := w.do(ask{method: "POST", path: "/v1/deliveries/" + id + "/redeliver"})
	wantStatus(t, again, http.StatusAccepted)
	delivered(2)
	got := to.all()
	if len(got) != 2 || got[0].header.Get("Webhook-Id") != got[1].header.Get("Webhook-Id") || string(got[0].body) != string(got[1].body) {
		t.Errorf("a replay is another message: %+v", got)
	}
	for _, one := range got {
		if _, err := client.VerifyWebhook(made.Secret, one.header, one.body); err != nil {
			t.Errorf("a receipt is not signed: %v", err)
		}
	}
	for query, want := range map[string]int{"": 1, "?status=delivered": 1, "?status=failed": 0, "?webhook=" + made.ID + "&event=job.completed": 1, "?job=nobody": 0} {
		if list := read[client.List[client.Delivery]](t, w.do(ask{method: "GET", path: "/v1/deliveries" + query}).body); len(list.Data) != want {
			t.Errorf("%s lists %d deliveries, want %d", query, len(list.Data), want)
		}
	}
	wantStatus(t, w.do(ask{method: "GET", path: "/v1/deliveries?status=lost"}), http.StatusBadRequest)
	wantStatus(t, w.do(ask{method: "GET", path: "/v1/deliveries?cursor=x"}), http.StatusBadRequest)
	w.do(ask{method: "DELETE", path: "/v1/webhooks/" + made.ID})
	wantStatus(t, w.do(ask{method: "POST", path: "/v1/deliveries/" + id + "/redeliver"}), http.StatusConflict)
}
