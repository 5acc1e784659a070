package dialecttest

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// Responses is the reference reading of OpenAI's responses: plain encoding/json over the whole response, which ends a stream too, and over a stream's deltas.
func Responses(f *Fixture) (Want, bool) {
	if f.URL != "" && !strings.HasSuffix(f.URL, "/responses") || f.URL == "" && !responsesFolder(f.File) {
		return Want{}, false
	}
	if outcome, wait, ok := recordedResponsesFailure(f.File); ok {
		return Want{Outcome: outcome, Wait: wait}, true
	}
	var r responsesReading
	if !f.Streamed() {
		if json.Unmarshal(f.Body, &r.last) != nil {
			return Want{Outcome: dialect.Unknown}, true
		}
		return r.want(), true
	}
	payloads := f.Payloads
	if f.Form == "sse" {
		for line := range bytes.Lines(f.Body) {
			if data, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte("data:")); ok {
				payloads = append(payloads, bytes.TrimSpace(data))
			}
		}
	}
	for _, p := range payloads {
		r.add(p)
	}
	return r.want(), true
}

// responsesFolder reports whether a folder has nothing else.
func responsesFolder(file string) bool {
	folder, _, _ := strings.Cut(file, "/")
	return strings.HasSuffix(folder, "-responses") || strings.HasPrefix(folder, "open-responses-")
}

// ResponsesStream frames payloads as server-sent events that are named by their type; the last of them ends the stream.
func ResponsesStream(payloads [][]byte) []byte {
	var b bytes.Buffer
	for _, p := range payloads {
		var e struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(p, &e) == nil && e.Type != "" {
			b.WriteString("event: " + e.Type + "\n")
		}
		b.WriteString("data: ")
		if err := json.Compact(&b, p); err != nil {
			b.Write(p)
		}
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

// recordedResponsesFailure says what the recorded failures are, read by a person.
func recordedResponsesFailure(file string) (dialect.Outcome, time.Duration, bool) {
	for _, f := range [...]struct {
		file    string
		outcome dialect.Outcome
	}{
		{"deepseek-responses/error_400-sync.json", dialect.BadRequest},
		{"openai-responses/error_400-stream.json", dialect.BadRequest},
		{"openai-responses/error_400-sync-2.json", dialect.BadRequest},
		{"openai-responses/error_400-sync-3.json", dialect.BadRequest},
		{"openai-responses/error_400-sync.json", dialect.BadRequest},
		{"openai-responses/error_400-unsupported_parameter.json", dialect.BadRequest},
		{"openai-responses/error_429-insufficient_quota.json", dialect.Quota},
		{"openai-responses/stream-error_event-insufficient_quota.json", dialect.Quota},
		{"openai-responses/sync-failed-server_error.json", dialect.OverloadedProvider},
	} {
		if f.file == file {
			return f.outcome, 0, true
		}
	}
	return dialect.Unknown, 0, false
}

// responsesReading puts an answer together.
type responsesReading struct {
	streamed  bool
	text      string
	refusal   string
	logprobs  int
	calls     []string        // the items of calls, in their order
	argued    map[string]bool // calls whose arguments came in pieces
	preambles map[string]bool // messages on the way to an answer
	last      responsesWhole
}

type responsesItem struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	Phase     string `json:"phase"`
	Arguments string `json:"arguments"`
	Content   []struct {
		Type     string            `json:"type"`
		Text     string            `json:"text"`
		Refusal  string            `json:"refusal"`
		Logprobs []json.RawMessage `json:"logprobs"`
	} `json:"content"`
}

type responsesWhole struct {
	Model      string          `json:"model"`
	Status     string          `json:"status"`
	Output     []responsesItem `json:"output"`
	Incomplete struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage *struct {
		Input        int `json:"input_tokens"`
		Output       int `json:"output_tokens"`
		InputDetails struct {
			Cached  int `json:"cached_tokens"`
			Written int `json:"cache_write_tokens"`
		} `json:"input_tokens_details"`
		OutputDetails struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	} `json:"usage"`
}

func (r *responsesReading) add(payload []byte) {
	var e struct {
		Type      string            `json:"type"`
		ItemID    string            `json:"item_id"`
		Delta     string            `json:"delta"`
		Arguments string            `json:"arguments"`
		Logprobs  []json.RawMessage `json:"logprobs"`
		Item      responsesItem     `json:"item"`
		Response  json.RawMessage   `json:"response"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return // the end mark
	}
	if r.argued == nil {
		r.streamed, r.argued, r.preambles = true, map[string]bool{}, map[string]bool{}
	}
	switch e.Type {
	case "response.output_item.added":
		if e.Item.Type == "function_call" {
			r.calls = append(r.calls, e.Item.ID)
		}
		r.preambles[e.Item.ID] = e.Item.Phase == "commentary"
	case "response.output_text.delta":
		if !r.preambles[e.ItemID] {
			r.text += e.Delta
			r.logprobs += len(e.Logprobs)
		}
	case "response.refusal.delta":
		r.refusal += e.Delta
	case "response.function_call_arguments.delta":
		if len(r.calls) > 0 && e.ItemID == r.calls[0] {
			r.text += e.Delta
			r.argued[e.ItemID] = true
		}
	case "response.function_call_arguments.done":
		if len(r.calls) > 0 && e.ItemID == r.calls[0] && !r.argued[e.ItemID] {
			r.text += e.Arguments
		}
	case "response.completed", "response.incomplete":
		_ = json.Unmarshal(e.Response, &r.last) //nolint:errcheck // What cannot be read is not wanted, and the comparison fails.
	}
}

func (r *responsesReading) want() Want {
	w := Want{Text: r.text, Refusal: r.refusal, Logprobs: r.logprobs, NativeStop: r.last.Status, Model: r.last.Model}
	if u := r.last.Usage; u != nil {
		w.Usage = dialect.Usage{
			Input: u.Input, CachedInput: u.InputDetails.Cached, CacheWrite: u.InputDetails.Written, Output: u.Output, Reasoning: u.OutputDetails.Reasoning,
			Known: true,
		}
	}
	called, arguments := false, ""
	for _, i := range r.last.Output {
		switch {
		case i.Type == "function_call" && !called:
			called, arguments = true, i.Arguments
		case i.Type == "message" && i.Phase != "commentary" && !r.streamed:
			for _, p := range i.Content {
				w.Text += p.Text
				w.Refusal += p.Refusal
				w.Logprobs += len(p.Logprobs)
			}
		}
	}
	if !r.streamed && called {
		w.Text = arguments // In one piece the prose before a call can be left out.
	}
	switch {
	case r.last.Status == "incomplete":
		w.NativeStop = r.last.Incomplete.Reason
		w.Stop = dialect.StopTruncated
		if w.NativeStop == "content_filter" {
			w.Stop = dialect.StopFiltered
		}
	case r.last.Status == "queued":
		w.Stop = dialect.StopPaused
	case r.last.Status != "completed" && r.last.Status != "complete":
		w.Stop = dialect.StopError
	case w.Refusal != "":
		w.Stop = dialect.StopRefused
	case called:
		w.Stop = dialect.StopTool
	default:
		w.Stop = dialect.StopComplete
	}
	return w
}
