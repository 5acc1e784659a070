package dialecttest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
)

// Messages is the reference reading of Anthropic's Messages: plain encoding/json, one event after the other, without any tolerance that the recorded
// exchanges do not need.
func Messages(f *Fixture) (Want, bool) {
	if strings.Contains(f.URL, "embeddings") {
		return Want{}, false // InvokeModel carries the formats of all models.
	}
	for _, known := range messageFailures() {
		if known.file == f.File {
			return Want{Outcome: known.outcome}, true
		}
	}
	var r messageReading
	if !f.Streamed() {
		var whole recordedMessage
		if json.Unmarshal(f.Body, &whole) == nil {
			r.message(&whole)
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
		r.event(p)
	}
	return r.want(), true
}

// MessageStream frames payloads as server-sent events that are named by their type.
func MessageStream(payloads [][]byte) []byte {
	var b bytes.Buffer
	for _, p := range payloads {
		var named struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(p, &named) == nil {
			b.WriteString("event: " + named.Type + "\n")
		}
		b.WriteString("data: ")
		if err := json.Compact(&b, p); err != nil {
			b.Write(p)
		}
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

type messageFailure struct {
	file    string
	outcome dialect.Outcome
}

// messageFailures says what the recorded failures are, read by a person.
func messageFailures() []messageFailure {
	return []messageFailure{
		{"anthropic/error_400-grammar_too_large.json", dialect.SchemaRejected},
		{"anthropic/error_400-schema_additionalProperties.json", dialect.SchemaRejected},
		{"anthropic/error_400-schema_minItems.json", dialect.SchemaRejected},
		{"anthropic/error_400-schema_minimum.json", dialect.SchemaRejected},
		{"anthropic/error_400-sync-sdk.json", dialect.BadRequest},
		{"anthropic/error_400-sync.json", dialect.BadRequest},
		{"anthropic/error_404-sync.json", dialect.BadRequest},
		{"anthropic/error_429-stream-schema-root_array-sdk.json", dialect.RateLimited},
		{"anthropic/error_429-sync-schema-sdk.json", dialect.RateLimited},
		{"anthropic/error_529-overloaded.json", dialect.OverloadedProvider},
		{"anthropic/stream-error_event-overloaded.json", dialect.OverloadedProvider},
	}
}

type recordedUsage struct {
	Input   *int `json:"input_tokens"`
	Output  *int `json:"output_tokens"`
	Read    *int `json:"cache_read_input_tokens"`
	Written *int `json:"cache_creation_input_tokens"`
	Details *struct {
		Thinking int `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

type recordedStop struct {
	Reason  string `json:"stop_reason"`
	Details struct {
		Explanation string `json:"explanation"`
	} `json:"stop_details"`
}

type recordedBlock struct {
	Type  string          `json:"type"`
	Text  string          `json:"text"`
	Input json.RawMessage `json:"input"`
	To    struct {
		Model string `json:"model"`
	} `json:"to"`
}

type recordedMessage struct {
	recordedStop
	Model   string          `json:"model"`
	Content []recordedBlock `json:"content"`
	Usage   recordedUsage   `json:"usage"`
}

// messageReading puts an answer together.
type messageReading struct {
	text, arguments, model string
	stop                   recordedStop
	usage                  dialect.Usage
	plain                  int // input tokens beside the cache's
	tools                  []int
}

func (r *messageReading) count(u recordedUsage) {
	set := func(to, from *int) {
		if from != nil {
			*to = *from
		}
	}
	set(&r.plain, u.Input)
	set(&r.usage.Output, u.Output)
	set(&r.usage.CachedInput, u.Read)
	set(&r.usage.CacheWrite, u.Written)
	if u.Details != nil {
		r.usage.Reasoning = u.Details.Thinking
	}
	r.usage.Known = true
	r.usage.Input = r.plain + r.usage.CachedInput + r.usage.CacheWrite
}

// message reads a whole answer: the first tool's arguments, else all of the text.
func (r *messageReading) message(m *recordedMessage) {
	r.model, r.stop = m.Model, m.recordedStop
	r.count(m.Usage)
	for i, b := range m.Content {
		switch b.Type {
		case "text":
			r.text += b.Text
		case "tool_use":
			if r.tools = append(r.tools, i); len(r.tools) == 1 {
				r.arguments = string(b.Input)
			}
		}
	}
	if len(r.tools) > 0 {
		r.text = ""
	}
}

// event reads one event. What was said before the first tool call has been given away when it comes.
func (r *messageReading) event(payload []byte) {
	var e struct {
		Type    string           `json:"type"`
		Index   int              `json:"index"`
		Message *recordedMessage `json:"message"`
		Block   recordedBlock    `json:"content_block"`
		Usage   *recordedUsage   `json:"usage"`
		Delta   struct {
			recordedStop
			Text string `json:"text"`
			JSON string `json:"partial_json"`
		} `json:"delta"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return
	}
	switch e.Type {
	case "message_start":
		r.model = e.Message.Model
		r.count(e.Message.Usage)
	case "content_block_start":
		switch e.Block.Type {
		case "tool_use":
			r.tools = append(r.tools, e.Index)
		case "fallback":
			r.model = e.Block.To.Model
		}
	case "content_block_delta":
		if len(r.tools) == 0 {
			r.text += e.Delta.Text
		} else if e.Index == r.tools[0] {
			r.arguments += e.Delta.JSON
		}
	case "content_block_stop":
		if len(r.tools) > 0 && e.Index == r.tools[0] && r.arguments == "" {
			r.arguments = "{}"
		}
	case "message_delta":
		r.stop = e.Delta.recordedStop
		if e.Usage != nil {
			r.count(*e.Usage)
		}
	}
}

func (r *messageReading) want() Want {
	w := Want{Text: r.text + r.arguments, NativeStop: r.stop.Reason, Usage: r.usage, Model: r.model}
	switch r.stop.Reason {
	case "end_turn", "stop_sequence":
		w.Stop = dialect.StopComplete
	case "tool_use":
		w.Stop = dialect.StopTool
	case "max_tokens":
		w.Stop = dialect.StopTruncated
	case "refusal":
		w.Stop, w.Refusal = dialect.StopRefused, r.stop.Details.Explanation
	}
	return w
}
