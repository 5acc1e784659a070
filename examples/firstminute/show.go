package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// answer is what is shown of an answer, or of the problem document in its place. Raw parts are shown as they came: digits and order are the server's.
type answer struct {
	Data       json.RawMessage `json:"data"`
	Validation *struct {
		Errors []struct {
			Pointer string `json:"pointer"`
			Message string `json:"message"`
		} `json:"errors"`
		Repairs []struct {
			Kind string `json:"kind"`
		} `json:"repairs"`
		Coercions []struct {
			Kind    string          `json:"kind"`
			Pointer string          `json:"pointer"`
			Before  json.RawMessage `json:"before"`
			After   json.RawMessage `json:"after"`
		} `json:"coercions"`
		Reasks int    `json:"reasks"`
		Mode   string `json:"dialect_mode"`
	} `json:"validation"`
	ValidationStatus   string      `json:"validation_status"`
	Language           *string     `json:"original_language"`
	LanguageConfidence json.Number `json:"language_confidence"`
	Confidence         json.Number `json:"confidence"`
	ConfidenceSource   *string     `json:"confidence_source"`
	Provider           string      `json:"provider_used"`
	Model              string      `json:"model_used"`
	Attempts           []struct {
		N            int         `json:"n"`
		Provider     string      `json:"provider"`
		Model        string      `json:"model"`
		Mode         string      `json:"mode"`
		Outcome      string      `json:"outcome"`
		TotalMS      json.Number `json:"total_ms"`
		FirstTokenMS json.Number `json:"first_token_ms"`
		InputTokens  json.Number `json:"input_tokens"`
		OutputTokens json.Number `json:"output_tokens"`
	} `json:"attempts"`
	ProcessingMS json.Number `json:"processing_time_ms"`
	OverheadMS   json.Number `json:"overhead_ms"`

	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Remediation string `json:"remediation"`
}

// analyze sends the example and shows what comes back.
func (m *minute) analyze(ctx context.Context, key string) error {
	file := filepath.Join(m.example, "request.json")
	body, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the example: %w", err)
	}
	var request struct {
		Prompt string `json:"prompt"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return fmt.Errorf("read the example %s: %w", file, err)
	}
	m.section("Prompt")
	m.indented(request.Prompt)
	fmt.Fprintf(m.out, "\n$ curl %s -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' -d @%s\n", m.url("/v1/analyze"), file)
	began := time.Now()
	resp, err := m.send(ctx, http.MethodPost, "/v1/analyze", key, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("the answer (HTTP %d) is no JSON: %w", resp.StatusCode, err)
	}
	if resp.StatusCode != http.StatusOK || a.ValidationStatus != "passed" {
		return m.noAnswer(resp.StatusCode, &a)
	}
	m.section("Answer")
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, a.Data, "", "  "); err != nil {
		return fmt.Errorf("the answer's data are no JSON: %w", err)
	}
	m.indented(pretty.String())
	m.report(&a)
	m.timings(&a, time.Since(began))
	return nil
}

// noAnswer shows why there is none. Nothing that did not pass is shown as data.
func (m *minute) noAnswer(status int, a *answer) error {
	m.section("No answer")
	m.indented(fmt.Sprintf("HTTP %d %s: %s", status, a.Code, a.Detail))
	if a.Remediation != "" {
		m.indented(a.Remediation)
	}
	m.report(a)
	m.timings(a, 0)
	return errSaid
}

// report shows the validation report.
func (m *minute) report(a *answer) {
	v := a.Validation
	if v == nil {
		return
	}
	m.section("Validation report")
	status := a.ValidationStatus
	if status == "" {
		status = "failed"
	}
	m.indented(fmt.Sprintf("%s, mode %s; %d errors, %d repairs, %d coercions, %d re-asks", status, v.Mode, len(v.Errors), len(v.Repairs), len(v.Coercions), v.Reasks))
	for _, e := range v.Errors {
		m.indented(fmt.Sprintf("error at %q: %s", e.Pointer, e.Message))
	}
	for _, r := range v.Repairs {
		m.indented("repaired: " + r.Kind)
	}
	for _, c := range v.Coercions {
		m.indented(fmt.Sprintf("coerced at %s: %s to %s (%s)", c.Pointer, c.Before, c.After, c.Kind))
	}
}

// timings shows who answered and how long it took.
func (m *minute) timings(a *answer, seen time.Duration) {
	if len(a.Attempts) == 0 {
		return
	}
	m.section("Provider and timings")
	for _, t := range a.Attempts {
		line := fmt.Sprintf("attempt %d: %s/%s, mode %s: %s in %s ms", t.N, t.Provider, t.Model, t.Mode, t.Outcome, t.TotalMS)
		if t.InputTokens != "" && t.OutputTokens != "" {
			line += fmt.Sprintf(", %s tokens in, %s out", t.InputTokens, t.OutputTokens)
		}
		m.indented(line)
	}
	if seen == 0 {
		return
	}
	m.indented(fmt.Sprintf("whole request: %s ms, of it promptd's own: %s ms; seen from here: %s", a.ProcessingMS, a.OverheadMS, short(seen)))
	if a.Language != nil {
		m.indented(fmt.Sprintf("language of the prompt: %s (confidence %s)", *a.Language, a.LanguageConfidence))
	}
	if a.Confidence != "" && a.ConfidenceSource != nil {
		m.indented(fmt.Sprintf("confidence of the answer: %s (from %s)", a.Confidence, *a.ConfidenceSource))
	}
	if len(m.providers) == 0 {
		m.indented("The local model is small: it shows that the pipeline works, not how well texts are understood. With a provider of your own the values get better.")
	}
}

// next says what can be tried while promptd is up.
func (m *minute) next(key string) {
	m.section("What to try next (promptd stays up; Ctrl-C stops it)")
	fmt.Fprintf(m.out, `A request as it can be pasted, from another terminal:

curl -sS %[1]s -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{
  "prompt": "Anna Petrova, born 1990-04-12, lives in Sofia and speaks Bulgarian and French.",
  "schema": {"type": "object", "required": ["name", "city"], "additionalProperties": false, "properties": {
    "name": {"type": "string", "maxLength": 60}, "city": {"type": "string", "maxLength": 60}}}
}'

The same from the command line, in this folder:

export PROMPTD_SERVER=%[3]s PROMPTD_API_KEY=%[2]s
%[4]s analyze --schema examples/ticket/schema.json - < examples/ticket/prompt.txt

The API, every error code and every field:  %[5]s
The server's log:                           %[6]s
`, m.url("/v1/analyze"), key, m.url(""), m.promptd, m.url("/docs"), filepath.Join(m.data, "first-minute.log"))
}

func (m *minute) section(title string) { fmt.Fprintf(m.out, "\n%s\n", title) }

func (m *minute) indented(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		fmt.Fprintf(m.out, "  %s\n", strings.TrimRight(line, "\n"))
	}
}
