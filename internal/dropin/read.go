package dropin

import (
	"bytes"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/render"
	"github.com/promptd/promptd/internal/value"
)

// longest is the limit of time of requests without a schema, and without a promptd.timeout_ms: a model may write for minutes.
const longest = 10 * time.Minute

// mostFaults bounds the faults that one answer lists.
const mostFaults = 20

// Read makes a Request of a body. The error is an INVALID_REQUEST, or an INVALID_SCHEMA, that names every field at fault.
func Read(f dialect.Format, raw []byte, d prompt.Defaults) (*Request, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, fault.Invalid("", "syntax", "the body is empty", "Send a JSON object with a model and "+messagesOf(f)+".")
	}
	v, err := body.Decode(raw)
	if err != nil {
		return nil, err
	}
	q := &Request{Format: f, raw: raw, body: v}
	in := &input{Reader: body.Open(withoutNulls(v))}
	q.envelope(in, v, d)
	if err := in.done(); err != nil {
		return nil, err
	}
	q.answerForm(in)
	if err := in.done(); err != nil || q.Form == Free {
		return q, err
	}
	return q, q.conversation(in, false)
}

func messagesOf(f dialect.Format) string {
	if f == dialect.Responses {
		return "input"
	}
	return "messages"
}

// withoutNulls leaves out the members that are null: to clients of these formats they are the same as absent ones.
func withoutNulls(v value.Value) value.Value {
	if v.Kind() != value.KindObject {
		return v
	}
	for i := range v.Len() {
		if !v.At(i).IsNull() {
			continue
		}
		members := make([]value.Member, 0, v.Len())
		for name, item := range v.Members() {
			if !item.IsNull() {
				members = append(members, value.Member{Name: name, Value: item})
			}
		}
		return value.Object(members...)
	}
	return v
}

// input reads a body and gathers its faults.
type input struct {
	*body.Reader
	faults []fault.Entry
	// function is the one that the answer calls: its earlier calls are earlier answers.
	function string
}

// refuse adds a fault at a pointer.
func (in *input) refuse(pointer, rule, message, hint string) {
	in.faults = append(in.faults, fault.Entry{Pointer: pointer, Rule: rule, Message: message, Hint: hint})
}

// done gives the faults so far as one error. Members that nobody knows are judged by the table of parameters, and not here.
func (in *input) done() error {
	return invalid(append(in.Faults(), in.faults...))
}

func invalid(entries []fault.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if len(entries) > mostFaults {
		entries = entries[:mostFaults]
	}
	return &fault.Fault{Code: fault.InvalidRequest, Detail: entries[0].Message, Entries: entries}
}

// envelope reads what promptd itself acts on.
func (q *Request) envelope(in *input, v value.Value, d prompt.Defaults) {
	q.Model = in.String("model", "")
	if named, given := in.Value("model"); !given || named.Kind() == value.KindString && q.Model == "" {
		in.refuse("/model", "required", "model is missing or empty", "Send auto, a model's name, or provider/name (GET /v1/models lists them).")
	} else if q.Model == Auto {
		q.Model = ""
	}
	q.Stream = in.Bool("stream", false)
	ours, explain := v.Get("promptd")
	q.Explain = explain && !ours.IsNull()
	options := in.Object("promptd")
	q.Prompt = prompt.Prompt{Format: render.JSON, Conversation: true, Options: prompt.ReadOptions(options, d)}
	o := &q.Prompt.Options
	for _, theirs := range [...]string{"model", "temperature", "max_tokens"} {
		if _, given := ours.Get(theirs); given {
			options.Fault(theirs, "duplicate", "promptd."+theirs+" is the parameter "+theirs+" here", "Send it beside promptd, not in it.")
		}
	}
	// Log-probabilities and the language are asked for by programs that look at ours; others should not wait or pay for them.
	if _, given := ours.Get("include_confidence"); !given {
		o.IncludeConfidence = false
	}
	if _, given := ours.Get("language_detection"); !given {
		o.LanguageDetection = false
	}
	options.Strict()
	o.Model = q.Model
	if _, given := ours.Get("timeout_ms"); !given {
		o.Timeout = 0 // Set where the form is known.
	}
	if q.Format == dialect.Chat {
		streaming := in.Object("stream_options")
		q.Usage = streaming.Bool("include_usage", false)
	}
}

// conversation reads what a prompt is made of: the turns and what steers the answer. translated is said of requests without a schema.
func (q *Request) conversation(in *input, translated bool) error {
	in.function = q.Function
	in.faults = append(in.faults, check(q.Format, q.body, translated)...)
	o := &q.Prompt.Options
	if _, given := in.Value("temperature"); given {
		o.Temperature = in.Float("temperature", o.Temperature, 0, 2)
	}
	const mostTokens = 1_000_000
	names := [...]string{"max_tokens", "max_completion_tokens"}
	if q.Format == dialect.Responses {
		names = [...]string{"max_output_tokens", "max_output_tokens"}
	}
	for _, name := range names {
		if _, given := in.Value(name); given {
			o.MaxTokens = int(in.Int(name, int64(o.MaxTokens), 1, mostTokens))
		}
	}
	if q.Format == dialect.Responses {
		q.Prompt.Messages = readInput(in)
	} else {
		q.Prompt.Messages = readMessages(in)
	}
	if len(in.faults) == 0 && len(q.Prompt.Messages) == 0 {
		in.refuse("/"+messagesOf(q.Format), "min_items", messagesOf(q.Format)+" holds no text", "Send a turn of the user with a text.")
	}
	return in.done()
}

// Call gives the conversation of a request without a schema for a service of another format. The error names what that service can't be asked for.
func (q *Request) Call() (dialect.Call, error) {
	in := &input{Reader: body.Open(withoutNulls(q.body))}
	apart := *q
	if err := apart.conversation(in, true); err != nil {
		return dialect.Call{}, err
	}
	c := dialect.Call{Messages: prompt.Turns(apart.Prompt.Messages), Stream: q.Stream}
	if _, given := in.Value("temperature"); given {
		c.Temperature = &apart.Prompt.Options.Temperature
	}
	for _, name := range [...]string{"max_tokens", "max_completion_tokens", "max_output_tokens"} {
		if _, given := in.Value(name); given {
			c.MaxTokens = apart.Prompt.Options.MaxTokens
		}
	}
	return c, nil
}

// Body gives the request's bytes for a service that speaks the format: as they came, but for the model's name and without promptd's own member.
func (q *Request) Body(model string) []byte {
	if _, ours := q.body.Get("promptd"); ours {
		return q.body.Without("promptd").With("model", value.String(model)).Append(make([]byte, 0, len(q.raw)+len(model)))
	}
	named, ok := q.body.Get("model")
	if !ok || named.Text() == model {
		return q.raw
	}
	at, known := named.Offset()
	if !known || at >= len(q.raw) || q.raw[at] != '"' {
		return q.body.With("model", value.String(model)).Append(make([]byte, 0, len(q.raw)+len(model)))
	}
	end := at + 1
	for q.raw[end] != '"' {
		if q.raw[end] == '\\' {
			end++
		}
		end++
	}
	out := make([]byte, 0, len(q.raw)+len(model)+2)
	out = append(out, q.raw[:at]...)
	out = value.AppendQuoted(out, model)
	return append(out, q.raw[end+1:]...)
}

// CountedBody is Body with a stream that ends with the count of its tokens.
func (q *Request) CountedBody(model string) []byte {
	if options, given := q.body.Get("stream_options"); given {
		if options.Kind() != value.KindObject {
			options = value.Object()
		}
		v := q.body.Without("promptd").With("model", value.String(model)).With("stream_options", options.With("include_usage", value.Bool(true)))
		return v.Append(make([]byte, 0, len(q.raw)+len(model)))
	}
	const asking = `,"stream_options":{"include_usage":true}`
	b := q.Body(model)
	end := bytes.LastIndexByte(b, '}') // The body is an object, and has a model.
	out := make([]byte, 0, len(b)+len(asking))
	return append(append(append(out, b[:end]...), asking...), b[end:]...)
}

// Texts gives what the user says, for the history. It reads tolerantly: bodies that are relayed are judged by whoever answers them.
func (q *Request) Texts() string {
	list, _ := q.body.Get(messagesOf(q.Format))
	if list.Kind() == value.KindString {
		return list.Text()
	}
	var out []byte
	add := func(s string) {
		if len(out) > 0 && s != "" {
			out = append(out, '\n')
		}
		out = append(out, s...)
	}
	for _, turn := range list.Items() {
		if role, _ := turn.Get("role"); role.Text() != "user" {
			continue
		}
		content, _ := turn.Get("content")
		if content.Kind() == value.KindString {
			add(content.Text())
		}
		for _, part := range content.Items() {
			text, _ := part.Get("text")
			add(text.Text())
		}
	}
	return string(out)
}
