package localmodel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/schema"
)

// booking is a form with three places that can be missing.
const booking = `{"type":"object","properties":{"name":{"type":"string"},"email":{"type":"string","format":"email"},"date":{"type":"string","format":"date"}},` +
	`"required":["name","email","date"],"additionalProperties":false}`

// dialogue is what is read of an answer under missing: ask.
type dialogue struct {
	answer
	Questions []struct{ Pointer, Question string }
	State     string
}

func send(ctx context.Context, client *http.Client, url, secret string, body map[string]any) (dialogue, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return dialogue{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/analyze", bytes.NewReader(raw))
	if err != nil {
		return dialogue{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := client.Do(req)
	if err != nil {
		return dialogue{}, err
	}
	raw, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return dialogue{}, err
	}
	d := dialogue{answer: answer{status: resp.StatusCode}}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("%d %.300s: %w", resp.StatusCode, raw, err)
	}
	return d, nil
}

// TestTheLocalModelFillsAForm has a real model ask back: what it takes for missing is its judgement, and a small model's is poor. What holds whatever it says is
// that questions are about places of the form, that a state goes on, and that what passes satisfies the schema.
func TestTheLocalModelFillsAForm(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (127 MB download, a minute)")
	}
	url, secret := program(t)
	client := &http.Client{Timeout: patience + time.Minute}
	compiled, err := schema.Compile(decode(t, booking), schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]any{"missing": "ask", "temperature": 0, "max_tokens": room, "timeout_ms": patience.Milliseconds(), "max_attempts": attempts, "bypass_cache": true}
	asked, passed, refused := 0, 0, 0
	for _, text := range []string{"This is Ann Lee, ann@example.com. A table for two, please.", "My name is Bob Roy. Please book a table for 2026-12-01."} {
		request := map[string]any{"prompt": text, "schema": json.RawMessage(booking), "options": options}
		for round := range 4 {
			d, err := send(t.Context(), client, url, secret, request)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.20s… round %d: %s %v %s (%s)", text, round, d.outcome(), d.Questions, shown(d.answer), d.tries())
			if d.status == http.StatusOK && d.ValidationStatus == "needs_input" {
				asked++
				answers := map[string]string{}
				for _, q := range d.Questions {
					reply, known := map[string]string{"/name": "Ann Lee", "/email": "ann@example.com", "/date": "2026-12-01"}[q.Pointer]
					if !known || q.Question == "" {
						t.Errorf("%q is asked about %q, which can't be missing", q.Question, q.Pointer)
					}
					answers[q.Pointer] = reply
				}
				if len(answers) == 0 || d.State == "" || string(d.Data) != "null" {
					t.Fatalf("got %+v: no question, or no state", d)
				}
				request = map[string]any{"state": d.State, "answers": answers}
				continue
			}
			switch {
			case d.status == http.StatusOK && d.ValidationStatus == "passed":
				passed++
				if accepted, report := compiled.Accept(t.Context(), decode(t, string(d.Data))); !accepted.OK() {
					t.Errorf("passed, and breaks the schema: %s: %+v", d.Data, report.Errors)
				}
			case d.status == http.StatusUnprocessableEntity && d.Code == "VALIDATION_FAILED":
				refused++
			default:
				t.Errorf("%d %s: %s", d.status, d.Code, d.Detail)
			}
			break
		}
	}
	t.Logf("%d times asked, %d passed, %d refused", asked, passed, refused)
	if asked+passed == 0 {
		t.Error("the model neither asked nor answered once")
	}
}
