package dropin

import (
	"cmp"
	"strconv"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// Stream writes an answer as events: Begin, any number of Text, then End or Fail. Each gives the bytes to be sent; it is not safe for concurrent use.
type Stream struct {
	q *Request
	r Reply
	n int // events of the responses format so far
	// open says that the text's part of the item was begun: not before there is text, for an answer may be a refusal from its beginning on.
	open bool
}

// Stream begins an answer's stream. Of the reply ID, Model and Created count; the model may be another one in the end.
func (q *Request) NewStream(r Reply) *Stream { return &Stream{q: q, r: r} }

// done ends every stream of chat completions.
const done = "data: [DONE]\n\n"

// Begin opens the answer.
func (s *Stream) Begin() []byte {
	if s.q.Format == dialect.Chat {
		return s.chunk(nil, func(dst []byte) []byte {
			switch s.q.Form {
			case Tool:
				dst = append(dst, `"role":"assistant","content":null,"tool_calls":[{"index":0,`...)
				return append(s.q.appendCall(dst, &s.r, ""), `}]`...)
			case Function:
				return s.q.appendFunction(append(dst, `"role":"assistant","content":null,"function_call":`...), "")
			default:
				return append(dst, `"role":"assistant","content":"","refusal":null`...)
			}
		}, "")
	}
	state := func(dst []byte) []byte {
		return s.q.appendResponse(append(dst, `,"response":`...), &s.r, inProgress)
	}
	dst := s.event(nil, "response.created", state)
	dst = s.event(dst, "response.in_progress", state)
	return s.event(dst, "response.output_item.added", func(dst []byte) []byte {
		return s.q.appendItem(append(dst, `,"output_index":0,"item":`...), &s.r, inProgress, "")
	})
}

// Text adds a piece of the content, or of the function's arguments.
func (s *Stream) Text(piece string) []byte {
	s.r.Text += piece
	if s.q.Format == dialect.Chat {
		return s.chunk(nil, func(dst []byte) []byte {
			switch s.q.Form {
			case Tool:
				dst = append(dst, `"tool_calls":[{"index":0,"function":{"arguments":`...)
				return append(value.AppendQuoted(dst, piece), `}}]`...)
			case Function:
				return append(value.AppendQuoted(append(dst, `"function_call":{"arguments":`...), piece), '}')
			default:
				return value.AppendQuoted(append(dst, `"content":`...), piece)
			}
		}, "")
	}
	if s.q.Form == Tool {
		return s.event(nil, "response.function_call_arguments.delta", func(dst []byte) []byte {
			return value.AppendQuoted(append(s.item(dst), `,"delta":`...), piece)
		})
	}
	return s.event(s.openText(nil), "response.output_text.delta", func(dst []byte) []byte {
		return append(value.AppendQuoted(append(s.place(dst, 0), `,"delta":`...), piece), `,"logprobs":[]`...)
	})
}

// End closes the answer. Of the reply what came with the end counts: which model it was, why it ended, its usage, and ours.
func (s *Stream) End(r *Reply) []byte {
	s.r.Stop, s.r.Usage, s.r.Ours, s.r.Refusal = r.Stop, r.Usage, r.Ours, r.Refusal
	s.r.Model = cmp.Or(r.Model, s.r.Model)
	if s.q.Format == dialect.Chat {
		return s.endChat()
	}
	var dst []byte
	switch {
	case s.q.Form == Tool:
		dst = s.event(dst, "response.function_call_arguments.done", func(dst []byte) []byte {
			dst = value.AppendQuoted(append(s.item(dst), `,"name":`...), s.q.Function)
			return value.AppendQuoted(append(dst, `,"arguments":`...), s.r.Text)
		})
	case s.r.Refusal == "":
		dst = s.closeText(s.openText(dst))
	case s.open:
		dst = s.refuse(s.closeText(dst), 1)
	default:
		dst = s.refuse(dst, 0)
	}
	status := statusOf(s.r.Stop)
	dst = s.event(dst, "response.output_item.done", func(dst []byte) []byte {
		return s.q.appendItem(append(dst, `,"output_index":0,"item":`...), &s.r, status, s.r.Text)
	})
	return s.event(dst, "response."+status, func(dst []byte) []byte {
		dst = s.q.appendResponse(append(dst, `,"response":`...), &s.r, status)
		if len(s.r.Ours) == 0 {
			return dst
		}
		return append(append(append(dst[:len(dst)-1], `,"promptd":`...), s.r.Ours...), '}')
	})
}

// openText begins the part of the text where it was not begun.
func (s *Stream) openText(dst []byte) []byte {
	if s.open {
		return dst
	}
	s.open = true
	return s.event(dst, "response.content_part.added", func(dst []byte) []byte {
		return appendText(append(s.place(dst, 0), `,"part":`...), "")
	})
}

func (s *Stream) closeText(dst []byte) []byte {
	dst = s.event(dst, "response.output_text.done", func(dst []byte) []byte {
		return append(value.AppendQuoted(append(s.place(dst, 0), `,"text":`...), s.r.Text), `,"logprobs":[]`...)
	})
	return s.event(dst, "response.content_part.done", func(dst []byte) []byte {
		return appendText(append(s.place(dst, 0), `,"part":`...), s.r.Text)
	})
}

// refuse writes the refusal as a part of its own, behind the text that was sent before.
func (s *Stream) refuse(dst []byte, at int) []byte {
	part := func(text string) func([]byte) []byte {
		return func(dst []byte) []byte { return appendRefusal(append(s.place(dst, at), `,"part":`...), text) }
	}
	said := func(member string) func([]byte) []byte {
		return func(dst []byte) []byte { return value.AppendQuoted(append(s.place(dst, at), member...), s.r.Refusal) }
	}
	dst = s.event(dst, "response.content_part.added", part(""))
	dst = s.event(dst, "response.refusal.delta", said(`,"delta":`))
	dst = s.event(dst, "response.refusal.done", said(`,"refusal":`))
	return s.event(dst, "response.content_part.done", part(s.r.Refusal))
}

func (s *Stream) endChat() []byte {
	var dst []byte
	if s.r.Refusal != "" {
		dst = s.chunk(dst, func(dst []byte) []byte { return value.AppendQuoted(append(dst, `"refusal":`...), s.r.Refusal) }, "")
	}
	dst = s.chunk(dst, func(dst []byte) []byte { return dst }, s.q.finish(s.r.Stop))
	if s.q.Usage {
		dst = s.q.chatHead(append(dst, "data: "...), &s.r, "chat.completion.chunk")
		dst = appendChatUsage(append(dst, `,"choices":[],"usage":`...), s.r.Usage)
		dst = append(dst, "}\n\n"...)
	}
	return append(dst, done...)
}

// Fail ends the answer with an error: what was sent before is not an answer.
func (s *Stream) Fail(e Error) []byte { return e.AppendEvent(nil, s.q.Format, s.n) }

// AppendEvent writes the error as the last event of a stream, behind n others.
func (e Error) AppendEvent(dst []byte, f dialect.Format, n int) []byte {
	if f == dialect.Chat {
		return append(e.Append(append(dst, "data: "...)), "\n\n"...)
	}
	dst = strconv.AppendInt(append(dst, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":"...), int64(n), 10)
	dst = value.AppendQuoted(append(dst, `,"code":`...), e.Code)
	dst = value.AppendQuoted(append(dst, `,"message":`...), e.Message)
	dst = append(dst, `,"param":null`...)
	if len(e.Ours) > 0 {
		dst = append(append(dst, `,"promptd":`...), e.Ours...)
	}
	return append(dst, "}\n\n"...)
}

// chunk writes one chunk of chat completions. In a stream that ends with the usage the others say that they have none.
func (s *Stream) chunk(dst []byte, delta func([]byte) []byte, finish string) []byte {
	dst = s.q.chatHead(append(dst, "data: "...), &s.r, "chat.completion.chunk")
	dst = append(dst, `,"choices":[{"index":0,"delta":{`...)
	dst = append(delta(dst), `},"logprobs":null,"finish_reason":`...)
	if finish == "" {
		dst = append(dst, "null}]"...)
	} else {
		dst = append(value.AppendQuoted(dst, finish), "}]"...)
		if len(s.r.Ours) > 0 {
			dst = append(append(dst, `,"promptd":`...), s.r.Ours...)
		}
	}
	if s.q.Usage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

// event writes one event of the responses format; members begin with a comma.
func (s *Stream) event(dst []byte, kind string, members func([]byte) []byte) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = append(dst, kind...)
	dst = strconv.AppendInt(append(dst, `","sequence_number":`...), int64(s.n), 10)
	s.n++
	return append(members(dst), "}\n\n"...)
}

// item names the item that an event is about.
func (s *Stream) item(dst []byte) []byte {
	prefix := "msg_"
	if s.q.Form == Tool {
		prefix = "fc_"
	}
	dst = append(append(append(dst, `,"item_id":"`...), prefix...), plain(s.r.ID)...)
	return append(dst, `","output_index":0`...)
}

// place names a part of the item.
func (s *Stream) place(dst []byte, part int) []byte {
	return strconv.AppendInt(append(s.item(dst), `,"content_index":`...), int64(part), 10)
}
