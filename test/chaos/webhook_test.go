package chaos

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// told is a message as the log of webhooks shows it.
type told struct {
	ID, Status string
	MessageID  string `json:"message_id"`
	Attempts   int
}

// TestWebhookTargetDown: a message to a target that is down is tried again until webhooks.max_age has passed (a minute here), then it has failed, and can be sent
// again under the same webhook-id. A target that comes back in time is told by itself.
func TestWebhookTargetDown(t *testing.T) {
	w := newWorld(t, setting{apis: 1, workers: 2, key: free()})
	c := newCaller(w)
	w.receiver.away(true)
	patient := newBook(c, 2, 1)
	patient.submitAll(0)
	must(t, "both messages are tried", time.Minute, func() bool { return w.receiver.tried() >= 2 })
	w.receiver.away(false)
	patient.drain(t, time.Minute)

	for _, p := range w.fleet {
		p.env = []string{"PROMPTD_WEBHOOKS_MAX_AGE=1m"}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	w.receiver.away(true)
	o := patient.orders[0]
	o.n, o.id = 100, "" // Another order of the same.
	c.submit(o)
	var m told
	must(t, "the message has failed", 3*time.Minute, func() bool {
		m = w.toldOf(t, c, o.id)
		return m.Status == "failed"
	})
	if m.Attempts < 2 {
		t.Errorf("the message was tried %d times", m.Attempts)
	}
	if list := w.receiver.of(o.id); len(list) > 0 {
		t.Errorf("the target that was down took %v", list)
	}
	w.receiver.away(false)
	if got, err := c.persist(http.MethodPost, "/v1/deliveries/"+m.ID+"/redeliver", []byte("{}"), ""); err != nil || got.status > 299 {
		t.Fatalf("redeliver was answered %d %s, %v", got.status, got.body, err)
	}
	must(t, "the message is there", time.Minute, func() bool { return taken(w.receiver.of(o.id)) })
	if id := w.receiver.of(o.id)[0].id; id != m.MessageID {
		t.Errorf("it was sent again under webhook-id %s, not %s", id, m.MessageID)
	}
	must(t, "the log says so", time.Minute, func() bool { return w.toldOf(t, c, o.id).Status == "delivered" })
	c.right(t)
}

// toldOf gives the one message about a job; an empty one where there is none yet.
func (w *world) toldOf(t *testing.T, c *caller, id string) told {
	t.Helper()
	got, err := c.persist(http.MethodGet, "/v1/deliveries?job="+id, nil, "")
	var page struct{ Data []told }
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &page) != nil || len(page.Data) > 1 {
		t.Fatalf("the messages of job %s: %d %s, %v", id, got.status, got.body, err)
	}
	if len(page.Data) == 0 {
		return told{}
	}
	return page.Data[0]
}
