package dropin

import (
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// Whole writes an answer in one piece.
func (q *Request) Whole(r *Reply) []byte {
	dst := make([]byte, 0, 768+len(r.Text)+len(r.Text)/8+len(r.Ours))
	if q.Format == dialect.Responses {
		dst = q.appendResponse(dst, r, statusOf(r.Stop))
	} else {
		dst = q.appendCompletion(dst, r)
	}
	dst = dst[:len(dst)-1]
	if len(r.Ours) > 0 {
		dst = append(append(dst, `,"promptd":`...), r.Ours...)
	}
	return append(dst, '}')
}

// plain is a request's id without dashes, of which the ids of its parts are made.
func plain(id string) string { return strings.ReplaceAll(id, "-", "") }

func (q *Request) appendCompletion(dst []byte, r *Reply) []byte {
	dst = q.chatHead(dst, r, "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	switch {
	case q.Form == Tool:
		dst = q.appendCall(append(dst, `null,"refusal":null,"tool_calls":[{`...), r, r.Text)
		dst = append(dst, `}]`...)
	case q.Form == Function:
		dst = q.appendFunction(append(dst, `null,"refusal":null,"function_call":`...), r.Text)
	case r.Refusal != "":
		dst = value.AppendQuoted(append(dst, `null,"refusal":`...), r.Refusal)
	default:
		dst = append(value.AppendQuoted(dst, r.Text), `,"refusal":null`...)
	}
	dst = append(dst, `,"annotations":[]},"logprobs":null,"finish_reason":`...)
	dst = append(value.AppendQuoted(dst, q.finish(r.Stop)), `}]`...)
	dst = appendChatUsage(append(dst, `,"usage":`...), r.Usage)
	return append(dst, '}')
}

func (q *Request) chatHead(dst []byte, r *Reply, object string) []byte {
	dst = append(append(dst, `{"id":"chatcmpl-`...), plain(r.ID)...)
	dst = append(append(dst, `","object":"`...), object...)
	dst = strconv.AppendInt(append(dst, `","created":`...), r.Created.Unix(), 10)
	return value.AppendQuoted(append(dst, `,"model":`...), r.Model)
}

// appendCall writes the members of a tool call.
func (q *Request) appendCall(dst []byte, r *Reply, arguments string) []byte {
	dst = append(append(dst, `"id":"call_`...), plain(r.ID)...)
	return q.appendFunction(append(dst, `","type":"function","function":`...), arguments)
}

func (q *Request) appendFunction(dst []byte, arguments string) []byte {
	dst = value.AppendQuoted(append(dst, `{"name":`...), q.Function)
	return append(value.AppendQuoted(append(dst, `,"arguments":`...), arguments), '}')
}

// finish says why an answer ends in the format's words.
func (q *Request) finish(s dialect.Stop) string {
	switch {
	case s == dialect.StopTruncated:
		return "length"
	case s == dialect.StopFiltered:
		return "content_filter"
	case q.Form == Tool:
		return "tool_calls"
	case q.Form == Function:
		return "function_call"
	default:
		return "stop"
	}
}

func appendChatUsage(dst []byte, u dialect.Usage) []byte {
	if !u.Known {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Input), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.Input+u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), int64(u.CachedInput), 10)
	dst = strconv.AppendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	return append(dst, `}}`...)
}

// statusOf is a response's status.
func statusOf(s dialect.Stop) string {
	switch s {
	case dialect.StopTruncated, dialect.StopFiltered:
		return "incomplete"
	default:
		return "completed"
	}
}

// appendResponse writes a response object; one that is in progress has no output yet.
func (q *Request) appendResponse(dst []byte, r *Reply, status string) []byte {
	dst = append(append(dst, `{"id":"resp_`...), plain(r.ID)...)
	dst = strconv.AppendInt(append(dst, `","object":"response","created_at":`...), r.Created.Unix(), 10)
	dst = value.AppendQuoted(append(dst, `,"status":`...), status)
	dst = append(dst, `,"background":false,"error":null,"incomplete_details":`...)
	switch {
	case status != "incomplete":
		dst = append(dst, `null`...)
	case r.Stop == dialect.StopFiltered:
		dst = append(dst, `{"reason":"content_filter"}`...)
	default:
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	}
	dst = append(dst, `,"instructions":`...)
	dst = q.echo(dst, "instructions", "null")
	dst = q.echo(append(dst, `,"max_output_tokens":`...), "max_output_tokens", "null")
	dst = value.AppendQuoted(append(dst, `,"model":`...), r.Model)
	dst = append(dst, `,"output":[`...)
	if status != inProgress {
		dst = q.appendItem(dst, r, statusOf(r.Stop), r.Text)
	}
	dst = q.echo(append(dst, `],"parallel_tool_calls":`...), "parallel_tool_calls", "true")
	dst = append(dst, `,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":`...)
	dst = q.echo(dst, "temperature", "null")
	dst = q.echo(append(dst, `,"text":`...), "text", `{"format":{"type":"text"}}`)
	dst = q.echo(append(dst, `,"tool_choice":`...), "tool_choice", `"auto"`)
	dst = q.echo(append(dst, `,"tools":`...), "tools", `[]`)
	dst = append(dst, `,"top_p":null,"truncation":"disabled","usage":`...)
	if status == inProgress {
		dst = append(dst, "null"...)
	} else {
		dst = appendResponsesUsage(dst, r.Usage)
	}
	dst = append(dst, `,"user":null,"metadata":`...)
	return append(q.echo(dst, "metadata", "{}"), '}')
}

const inProgress = "in_progress"

// echo writes a member of the request as it came.
func (q *Request) echo(dst []byte, name, otherwise string) []byte {
	if v, ok := q.body.Get(name); ok && !v.IsNull() {
		return v.Append(dst)
	}
	return append(dst, otherwise...)
}

// appendItem writes the one item of an output: a message or a call.
func (q *Request) appendItem(dst []byte, r *Reply, status, text string) []byte {
	if q.Form == Tool {
		dst = append(append(dst, `{"type":"function_call","id":"fc_`...), plain(r.ID)...)
		dst = append(append(dst, `","call_id":"call_`...), plain(r.ID)...)
		dst = value.AppendQuoted(append(dst, `","name":`...), q.Function)
		dst = value.AppendQuoted(append(dst, `,"arguments":`...), text)
		return append(value.AppendQuoted(append(dst, `,"status":`...), status), '}')
	}
	dst = append(append(dst, `{"type":"message","id":"msg_`...), plain(r.ID)...)
	dst = value.AppendQuoted(append(dst, `","status":`...), status)
	dst = append(dst, `,"role":"assistant","content":[`...)
	if status != inProgress && (text != "" || r.Refusal == "") {
		dst = appendText(dst, text)
	}
	if status != inProgress && r.Refusal != "" {
		if text != "" {
			dst = append(dst, ',')
		}
		dst = appendRefusal(dst, r.Refusal)
	}
	return append(dst, `]}`...)
}

func appendText(dst []byte, text string) []byte {
	dst = value.AppendQuoted(append(dst, `{"type":"output_text","text":`...), text)
	return append(dst, `,"annotations":[],"logprobs":[]}`...)
}

func appendRefusal(dst []byte, refusal string) []byte {
	return append(value.AppendQuoted(append(dst, `{"type":"refusal","refusal":`...), refusal), '}')
}

func appendResponsesUsage(dst []byte, u dialect.Usage) []byte {
	if !u.Known {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Input), 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), int64(u.CachedInput), 10)
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), int64(u.Input+u.Output), 10)
	return append(dst, '}')
}
