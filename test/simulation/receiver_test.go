package simulation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/test/history"
)

// hookSecret is what all receivers share with promptd: 32 bytes.
const hookSecret = "0123456789abcdef0123456789abcdef"

func secretText() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(hookSecret)) }

// transport takes a process's messages to the receiver.
type transport struct{ p *process }

// Send takes one.
func (t transport) Send(ctx context.Context, r delivery.Request) (delivery.Answer, error) {
	if !t.p.runs() {
		return delivery.Answer{}, errDead
	}
	w, id := t.p.w, r.Header.Get("Webhook-Id")
	c := w.plan.of(300, hashed(id), w.nextSend(id))
	rest(c.of(1).span(time.Millisecond, 80*time.Millisecond))
	switch {
	case !t.p.runs():
		return delivery.Answer{}, errDead
	case w.receiverAway():
		return delivery.Answer{}, &delivery.SendError{Kind: delivery.ErrorConnect, Detail: "nobody listens"}
	}
	status, hangs := 200, false
	switch {
	case !w.trouble():
	case c.of(2).hit(w.plan.rate[receiverHangs]):
		w.saw(receiverHangs)
		hangs = true
	case c.of(3).hit(w.plan.rate[receiverFails]):
		w.saw(receiverFails)
		status = []int{500, 503, 404, 429}[c.of(4).n(4)]
	}
	w.note(received(r, id, status == 200 && !hangs))
	if hangs {
		t.wait(ctx, 2*time.Second)
		return delivery.Answer{}, &delivery.SendError{Kind: delivery.ErrorTimeout, Detail: "no answer in time"}
	}
	t.wait(ctx, c.of(5).span(time.Millisecond, 20*time.Millisecond))
	if !t.p.runs() {
		return delivery.Answer{}, errDead
	}
	return delivery.Answer{Status: status}, nil
}

func (transport) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// received is what the receiver writes down: what it can read from the message alone.
func received(r delivery.Request, id string, taken bool) history.Event {
	body := string(r.Body)
	e := history.Event{Kind: history.Received, Message: id, Taken: taken, Answer: body, Event: between(body, `{"type":"`, `"`), Job: between(body, `"job_id":"`, `"`)}
	sum := hmac.New(sha256.New, []byte(hookSecret))
	sum.Write([]byte(id + "." + r.Header.Get("Webhook-Timestamp") + "." + body))
	want := "v1," + base64.StdEncoding.EncodeToString(sum.Sum(nil))
	for _, s := range strings.Fields(r.Header.Get("Webhook-Signature")) {
		e.Signed = e.Signed || hmac.Equal([]byte(s), []byte(want))
	}
	return e
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}

var _ delivery.Transport = transport{}
