package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func result() string { return strings.ReplaceAll(answerText, "\n", "") }

// heard writes what a stream gave as one line an event.
func heard(t *testing.T, c *Client) []string {
	t.Helper()
	var got []string
	for event, err := range c.AnalyzeStream(t.Context(), Request{Prompt: "x"}) {
		switch {
		case err != nil:
			got = append(got, "error "+err.Error())
		case event.Attempt != nil:
			got = append(got, fmt.Sprintf("%s attempt %d", event.ID, event.Attempt.N))
		case event.Partial != nil:
			got = append(got, event.ID+" partial "+string(event.Partial))
		case event.Answer != nil:
			got = append(got, event.ID+" answer "+event.Answer.RequestID)
		default:
			got = append(got, "empty event")
		}
	}
	return got
}

func TestStreamGivesEachEventAndEndsWithOne(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("y", 100_000)
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{
			"events in order, comments and unknown events left out",
			": heartbeat\n\nid: 1\nevent: attempt\ndata: {\"n\":1}\n\n: heartbeat\n\nid: 2\nevent: later\ndata: {}\n\nid: 3\nevent: partial\ndata: {\"data\":{\"a\":1.0}}\n\nid: 4\nevent: result\ndata: " + result() + "\n\nid: 5\nevent: partial\ndata: {}\n\n",
			[]string{"1 attempt 1", `3 partial {"a":1.0}`, "4 answer r1"},
		},
		{
			"carriage returns and data over several lines", "id: 1\r\nevent: partial\r\ndata: {\"data\":\r\ndata: [1]}\r\n\r\nevent: result\r\ndata:" + result() + "\r\n\r\n",
			[]string{"1 partial [1]", " answer r1"},
		},
		{"lines longer than a buffer", "event: partial\ndata: {\"data\":\"" + long + "\"}\n\nevent: result\ndata: " + result() + "\n\n", []string{` partial "` + long + `"`, " answer r1"}},
		{
			"an error ends the stream", "id: 1\nevent: error\ndata: {\"status\":422,\"code\":\"VALIDATION_FAILED\",\"detail\":\"why\"}\n\nevent: result\ndata: " + result() + "\n\n",
			[]string{"error VALIDATION_FAILED: why"},
		},
		{
			"a stream that is cut is an error", "id: 1\nevent: attempt\ndata: {\"n\":1}\n\nid: 2\nevent: result\ndata: " + result() + "\n",
			[]string{"1 attempt 1", "error the stream ended without a result: unexpected EOF"},
		},
		{"an event that is no JSON is an error", "event: attempt\ndata: {\"n\":\n\n", []string{`error read the stream: event "attempt": unexpected end of JSON input`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Header.Get("Idempotency-Key") != "" || !strings.Contains(string(body), `"stream":true`) {
					t.Errorf("the request is not one of a stream: %s %v", body, r.Header)
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, test.body)
			})
			if diff := cmp.Diff(test.want, heard(t, c)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreamFaultBeforeTheFirstEventIsTyped(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { problemBody(w, 401, CodeUnauthorized) })
	n := 0
	for _, err := range c.AnalyzeStream(t.Context(), Request{Prompt: "x"}) {
		n++
		if !IsCode(err, CodeUnauthorized) {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d events, want the error alone", n)
	}
}

func TestStreamIsNotBegunTwice(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	c, _ := serve(t, func(http.ResponseWriter, *http.Request) { tries.Add(1); panic(http.ErrAbortHandler) })
	for _, err := range c.AnalyzeStream(t.Context(), Request{Prompt: "x"}) {
		var lost *UnreachableError
		if !errors.As(err, &lost) {
			t.Errorf("got %v", err)
		}
	}
	if tries.Load() != 1 {
		t.Errorf("%d tries of a call that may have cost something", tries.Load())
	}
}

func TestEndingTheLoopEndsTheRequest(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "event: attempt\ndata: {\"n\":1}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	for range c.AnalyzeStream(t.Context(), Request{Prompt: "x"}) {
		break
	}
	<-gone
}

func FuzzEventReader(f *testing.F) {
	f.Add("event: a\ndata: b\n\n")
	f.Add("data\n\n:x\nid:1\r\ndata:\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		events := newEventReader(strings.NewReader(text))
		for n := 0; ; n++ {
			one, err := events.next()
			if err != nil {
				return
			}
			if n > len(text) {
				t.Fatal("more events than bytes")
			}
			if strings.ContainsAny(one.name, "\n") {
				t.Errorf("a name with a line end: %q", one.name)
			}
		}
	})
}
