package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// uploading begins an upload that is never done until the test ends.
func (w *world) uploading(t *testing.T, secret string) {
	t.Helper()
	body, rest := io.Pipe()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var sender sync.WaitGroup
	sender.Go(func() {
		response, err := w.send(ask{method: "POST", path: "/v1/jobs", key: secret, reader: body, ctx: ctx, header: http.Header{"Content-Type": {"application/x-ndjson"}, "Expect": {"100-continue"}}})
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("an upload that rests: got %d", response.StatusCode)
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = rest.CloseWithError(context.Canceled)
		sender.Wait()
	})
	// The client sends nothing of it before the server reads, by when it has given the upload its place.
	if _, err := io.WriteString(rest, "{}\n"); err != nil {
		t.Fatal(err)
	}
}

// refusedOnce sends uploads that are empty until one is answered with a status: those before are let in and refused as such.
func (w *world) refusedOnce(t *testing.T, secret string, status int) answer {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		a := w.do(ask{method: "POST", path: "/v1/jobs", key: secret, reader: strings.NewReader("\n"), header: http.Header{"Content-Type": {"application/x-ndjson"}}})
		if a.status == status {
			return a
		}
		if a.status != http.StatusBadRequest || time.Now().After(end) {
			t.Fatalf("got %d %s, want %d", a.status, a.body, status)
		}
	}
}

// What lasts as long as a job or a sender does holds no place of those who are soon done.
func TestStreamsAndUploadsHoldNoPlaceAtTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) { w.slots = 1 })
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Hold: hold})
	made := accepted(t, w.post("/v1/jobs", `{"items": [{"prompt": "How many? Three."}, {"prompt": "And now?"}], "schema": `+numberSchema+`}`))
	for range 2 {
		w.followed(t, "/v1/jobs/"+made.JobID+"/events")
		w.followed(t, "/v1/jobs/"+made.JobID+"/results?follow=true")
	}
	w.uploading(t, "")
	for end := time.Now().Add(30 * time.Second); w.door.Load().Inside > 0; { // The upload is on its way in.
		if time.Now().After(end) {
			t.Fatalf("%d hold places at the door, want none", w.door.Load().Inside)
		}
		<-time.After(time.Millisecond)
	}
	if a := w.get("/v1/me"); a.status != http.StatusOK {
		t.Errorf("beside streams and an upload: got %d %s", a.status, a.body)
	}
}

// One key takes a part of the places of what lasts, and all keys together no more than there are.
func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const ofKey, most = 16, 64
	secrets := make([]string, most/ofKey+1)
	for i := range secrets {
		secrets[i] = w.newKey(key.Key{Name: "k", Scopes: key.AllScopes, RateLimitPerHour: new(int)})
	}
	for i, secret := range secrets[:most/ofKey] {
		for range ofKey {
			w.uploading(t, secret)
		}
		if i > 0 {
			continue
		}
		a := w.refusedOnce(t, secret, http.StatusTooManyRequests)
		if p := a.problem(t, http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED"); a.header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "16 uploads") {
			t.Errorf("a key with all of its uploads: got %+v", p)
		}
	}
	a := w.refusedOnce(t, secrets[most/ofKey], http.StatusServiceUnavailable)
	if p := a.problem(t, http.StatusServiceUnavailable, "OVERLOADED"); a.header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "64 uploads") {
		t.Errorf("a process with all of its uploads: got %+v", p)
	}
	if a := w.get("/v1/me"); a.status != http.StatusOK {
		t.Errorf("beside uploads: got %d %s", a.status, a.body)
	}
}
