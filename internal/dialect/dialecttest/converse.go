package dialecttest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
)

// Converse is the reference reading of Bedrock's Converse: plain encoding/json, one event after the other as the recording tool decoded it.
func Converse(f *Fixture) (Want, bool) {
	if outcome, ok := converseFailure(f.File); ok {
		return Want{Outcome: outcome}, true
	}
	var r converseReading
	if f.Streamed() {
		for _, p := range f.Payloads {
			r.event(p)
		}
		return r.want(), true
	}
	var whole struct {
		Output struct {
			Message struct {
				Content []converseBlock `json:"content"`
			} `json:"message"`
		} `json:"output"`
		Stop  string        `json:"stopReason"`
		Usage converseUsage `json:"usage"`
	}
	if json.Unmarshal(f.Body, &whole) != nil {
		return Want{}, false
	}
	r.stop = whole.Stop
	r.count(whole.Usage)
	for _, b := range whole.Output.Message.Content {
		switch {
		case b.Tool == nil:
			r.text += b.Text
		case !r.tool:
			r.tool, r.arguments = true, string(b.Tool.Input)
		}
	}
	if r.tool {
		r.text = ""
	}
	return r.want(), true
}

// converseFailure says what the recorded failures are, read by a person.
func converseFailure(file string) (dialect.Outcome, bool) {
	outcome, ok := map[string]dialect.Outcome{
		"bedrock/error_400-schema_additionalProperties.json": dialect.SchemaRejected,
		"bedrock/error_400-stream.json":                      dialect.BadRequest,
		"bedrock/error_400-sync-2.json":                      dialect.BadRequest,
		"bedrock/error_400-sync.json":                        dialect.BadRequest,
		"bedrock/error_408-model_timeout.json":               dialect.Timeout,
		"bedrock/error_424-model_error.json":                 dialect.OverloadedProvider,
		"bedrock/error_429-throttling.json":                  dialect.RateLimited,
		"bedrock/error_503-service_unavailable.json":         dialect.OverloadedProvider,
	}[file]
	return outcome, ok
}

type converseBlock struct {
	Text string `json:"text"`
	Tool *struct {
		Input json.RawMessage `json:"input"`
	} `json:"toolUse"`
}

type converseUsage struct {
	Input   *int `json:"inputTokens"`
	Output  int  `json:"outputTokens"`
	Read    int  `json:"cacheReadInputTokens"`
	Written int  `json:"cacheWriteInputTokens"`
}

// converseReading puts an answer together.
type converseReading struct {
	text, arguments, stop string
	tool                  bool
	index                 int // the first tool's
	usage                 dialect.Usage
}

func (r *converseReading) count(u converseUsage) {
	if u.Input != nil {
		r.usage = dialect.Usage{Input: *u.Input + u.Read + u.Written, CachedInput: u.Read, CacheWrite: u.Written, Output: u.Output, Known: true}
	}
}

// event reads one event. What was said before the first tool call has been given away when it comes.
func (r *converseReading) event(payload []byte) {
	var e struct {
		Start struct {
			Index int           `json:"contentBlockIndex"`
			Start converseBlock `json:"start"`
		} `json:"contentBlockStart"`
		Delta struct {
			Index int           `json:"contentBlockIndex"`
			Delta converseBlock `json:"delta"`
		} `json:"contentBlockDelta"`
		Stop struct {
			Reason string `json:"stopReason"`
		} `json:"messageStop"`
		Metadata struct {
			Usage converseUsage `json:"usage"`
		} `json:"metadata"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return
	}
	if e.Start.Start.Tool != nil && !r.tool {
		r.tool, r.index = true, e.Start.Index
	}
	switch d := e.Delta.Delta; {
	case d.Tool != nil && r.tool && e.Delta.Index == r.index:
		var piece string
		if json.Unmarshal(d.Tool.Input, &piece) == nil {
			r.arguments += piece
		}
	case !r.tool:
		r.text += d.Text
	}
	if e.Stop.Reason != "" {
		r.stop = e.Stop.Reason
	}
	r.count(e.Metadata.Usage)
}

func (r *converseReading) want() Want {
	if r.tool && r.arguments == "" {
		r.arguments = "{}"
	}
	w := Want{Text: r.text + r.arguments, NativeStop: r.stop, Usage: r.usage}
	switch r.stop {
	case "end_turn", "stop_sequence":
		w.Stop = dialect.StopComplete
	case "tool_use":
		w.Stop = dialect.StopTool
	case "max_tokens":
		w.Stop = dialect.StopTruncated
	case "guardrail_intervened":
		w.Stop, w.Refusal = dialect.StopFiltered, w.Text
	}
	return w
}

// ConverseStream frames payloads, objects whose one member has the event's name, in AWS's binary framing. Some recorded streams were shortened by those who
// keep them, and lack the metadata with which every true one comes: it is added, with nothing in it.
func ConverseStream(payloads [][]byte) []byte {
	var b bytes.Buffer
	counted := false
	for _, p := range payloads {
		var named map[string]json.RawMessage
		if json.Unmarshal(p, &named) != nil {
			continue
		}
		for name, payload := range named {
			counted = counted || name == "metadata"
			b.Write(Message(payload, ":message-type", "event", ":event-type", name))
		}
	}
	if !counted {
		b.Write(Message([]byte(`{}`), ":message-type", "event", ":event-type", "metadata"))
	}
	return b.Bytes()
}

// Message is one message of AWS's binary framing, with its headers as pairs of names and texts.
func Message(payload []byte, headers ...string) []byte {
	const text, prelude, trailer = 7, 12, 4
	var head []byte
	for i := 0; i+1 < len(headers); i += 2 {
		head = append(append(head, byte(len(headers[i]))), headers[i]...)
		head = append(binary.BigEndian.AppendUint16(append(head, text), uint16(len(headers[i+1]))), headers[i+1]...) //nolint:gosec // Tests have short ones.
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(prelude+len(head)+len(payload)+trailer)) //nolint:gosec // As above.
	b = binary.BigEndian.AppendUint32(b, uint32(len(head)))                                 //nolint:gosec // As above.
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, head...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// ConverseText makes a stream from lines: the message's type, its name, its payload, with spaces between. Any other line stands for its own bytes.
func ConverseText(lines []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(lines) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		kind, rest, _ := strings.Cut(string(line), " ")
		name, payload, _ := strings.Cut(rest, " ")
		switch kind {
		case "event":
			b.Write(Message([]byte(payload), ":content-type", "application/json", ":message-type", kind, ":event-type", name))
		case "exception":
			b.Write(Message([]byte(payload), ":exception-type", name, ":message-type", kind))
		case "error":
			b.Write(Message(nil, ":error-code", name, ":error-message", payload, ":message-type", kind))
		case "unknown":
			b.Write(Message([]byte(payload), ":message-type", name))
		default:
			b.Write(line)
		}
	}
	return b.Bytes()
}
