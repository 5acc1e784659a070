package providertest

import (
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// bedrock is Amazon Bedrock's Converse. Its streams are AWS's binary messages, and its requests are signed, or bring a bearer key. There are no refusals and no
// log-probabilities; it neither says how long to wait nor what is left of limits.
type bedrock struct{}

func (bedrock) traits() traits {
	return traits{name: Bedrock, streamType: "application/vnd.amazon.eventstream", filters: true, keyed: signed, header: func(id string) http.Header {
		return http.Header{"X-Amzn-Requestid": {id}}
	}}
}

// signature is the form of version 4 of AWS's signatures, for Bedrock.
const signature = `^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]{1,128})/(\d{8})/[a-z0-9-]+/bedrock/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`

// signed reports whether a request has the form of a signed one, or the key as a bearer token. A key is looked for as the signature's access key; the signature
// itself is not computed again.
func signed(r *http.Request, key string) bool {
	authorization := r.Header.Get("Authorization")
	if strings.HasPrefix(authorization, "Bearer ") {
		return bearer(r, key)
	}
	parts := regexp.MustCompile(signature).FindStringSubmatch(authorization)
	const access, day, headers = 1, 2, 3
	if parts == nil || key != "" && parts[access] != key {
		return false
	}
	names := ";" + parts[headers] + ";"
	at := r.Header.Get("X-Amz-Date")
	return strings.Contains(names, ";host;") && strings.Contains(names, ";x-amz-date;") && len(at) == len("20060102T150405Z") && strings.HasPrefix(at, parts[day]+"T")
}

func (bedrock) read(p *parsed, r *http.Request) {
	body := p.strict(Bedrock, r)
	_, address, _ := strings.Cut(r.URL.EscapedPath(), "/model/")
	model, operation, _ := strings.Cut(address, "/")
	p.Model, p.Stream = model, operation == "converse-stream"
	if name, err := url.PathUnescape(model); err == nil {
		p.Model = name
	}
	system, _ := body.Get("system")
	if system.Len() > 0 {
		p.turn("system", system)
	}
	messages, _ := body.Get("messages")
	for _, m := range messages.Items() {
		content, _ := m.Get("content")
		p.turn(text(m, "/role"), content)
	}
	p.MaxTokens = count(body, "/inferenceConfig/maxTokens")
	if s, ok := body.Lookup("/outputConfig/textFormat/structure/jsonSchema/schema"); ok {
		schema, err := value.DecodeString(s.Text(), value.Limits{})
		if err != nil || schema.Kind() != value.KindObject {
			p.rejectSchema("outputConfig.textFormat.structure.jsonSchema.schema: ", "it is not a JSON Schema as a text")
		}
		p.form(formSchema, schema)
		p.rejectSchema("output_config.format.schema: ", strictFault(schema, false, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
	}
	if tool, ok := body.Lookup("/toolConfig/tools/0/toolSpec"); ok {
		s, _ := tool.Lookup("/inputSchema/json")
		p.Tool = text(tool, "/name")
		p.form(formTool, s)
	}
}

func (bedrock) stopped(m *message) string {
	done := "end_turn"
	if m.called() {
		done = "tool_use"
	}
	return m.word([2]string{stopDone, done}, [2]string{stopTool, "tool_use"}, [2]string{stopLength, "max_tokens"}, [2]string{stopFiltered, "content_filtered"})
}

// counted is the usage: input tokens are those beside the cache's.
func (bedrock) counted(m *message) value.Member {
	u := m.usage
	return member("usage", object(
		member("inputTokens", num(u.PromptTokens-u.CachedTokens-u.WrittenTokens)), member("outputTokens", num(u.CompletionTokens)),
		member("totalTokens", num(u.PromptTokens+u.CompletionTokens)), member("cacheReadInputTokens", num(u.CachedTokens)),
		member("cacheWriteInputTokens", num(u.WrittenTokens))))
}

func (w bedrock) whole(m *message) []byte {
	var content []value.Value
	if m.reply.Thought != "" {
		thought := object(member("text", str(m.reply.Thought)), member("signature", str("c2lnbmVk")))
		content = append(content, object(member("reasoningContent", object(member("reasoningText", thought)))))
	}
	switch {
	case m.called():
		use := object(member("toolUseId", str(m.id("tooluse_"))), member("name", str(m.tool())), member("input", m.arguments()))
		content = append(content, object(member("toolUse", use)))
	case len(m.tokens) > 0 || m.stop != stopFiltered:
		content = append(content, object(member("text", str(m.text()))))
	}
	members := []value.Member{
		member("metrics", object(member("latencyMs", num(1)))),
		member("output", object(member("message", object(member("content", value.Array(content...)), member("role", str("assistant")))))),
		member("stopReason", str(w.stopped(m))),
	}
	if m.usage != nil {
		members = append(members, w.counted(m))
	}
	return object(members...).Append(nil)
}

func (w bedrock) stream(m *message) [][]byte {
	var events [][]byte
	event := func(name string, members ...value.Member) {
		events = append(events, frame("event", ":event-type", name, object(members...)))
	}
	index := 0
	delta := func(d value.Member) {
		event("contentBlockDelta", member("contentBlockIndex", num(index)), member("delta", object(d)))
	}
	end := func() {
		event("contentBlockStop", member("contentBlockIndex", num(index)))
		index++
	}
	event("messageStart", member("role", str("assistant")))
	if m.reply.Thought != "" {
		for _, t := range tokens(m.reply.Thought) {
			delta(member("reasoningContent", object(member("text", str(t)))))
		}
		end()
	}
	if m.called() {
		use := object(member("toolUseId", str(m.id("tooluse_"))), member("name", str(m.tool())))
		event("contentBlockStart", member("contentBlockIndex", num(index)), member("start", object(member("toolUse", use))))
	}
	for _, t := range m.tokens {
		if m.called() {
			delta(member("toolUse", object(member("input", str(t)))))
		} else {
			delta(member("text", str(t)))
		}
	}
	if len(m.tokens) > 0 || m.called() {
		end()
	}
	event("messageStop", member("stopReason", str(w.stopped(m))))
	metadata := []value.Member{member("metrics", object(member("latencyMs", num(1))))}
	if m.usage != nil {
		metadata = append(metadata, w.counted(m))
	}
	event("metadata", metadata...)
	return events
}

// frame is one message of AWS's binary framing: lengths and their checksum, headers, payload, and a checksum of it all.
func frame(kind, nameOf, name string, payload value.Value) []byte {
	const textHeader, prelude, trailer = 7, 12, 4
	var head []byte
	for _, h := range [...][2]string{{nameOf, name}, {":content-type", contentJSON}, {":message-type", kind}} {
		head = append(append(head, byte(len(h[0]))), h[0]...)
		head = append(binary.BigEndian.AppendUint16(append(head, textHeader), uint16(len(h[1]))), h[1]...) //nolint:gosec // The texts are short.
	}
	body := payload.Append(nil)
	dst := binary.BigEndian.AppendUint32(nil, uint32(prelude+len(head)+len(body)+trailer)) //nolint:gosec // Answers are far below 4 GiB.
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(head)))                            //nolint:gosec // Likewise.
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst))
	dst = append(append(dst, head...), body...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst))
}

func (bedrock) fail(f failure) response {
	status, kind, message := http.StatusInternalServerError, "InternalServerException", "The system encountered an unexpected error during processing."
	const validation = "ValidationException"
	switch f.fault {
	case RateLimited:
		status, kind, message = http.StatusTooManyRequests, "ThrottlingException", "Too many requests, please wait before trying again."
	case Overloaded:
		status, kind, message = http.StatusServiceUnavailable, "ServiceUnavailableException", "The service is temporarily unavailable."
	case Unauthorized:
		status, kind, message = http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid."
	case QuotaExceeded:
		status, kind, message = http.StatusBadRequest, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account."
	case BadRequest:
		status, kind, message = http.StatusBadRequest, validation, "The model returned the following errors: temperature: range: 0..1"
	case SchemaRejected:
		status, kind, message = http.StatusBadRequest, validation, "The model returned the following errors: output_config.format.schema: For 'object' type, "+
			"'additionalProperties' must be explicitly set to false"
	case ContextExceeded:
		status, kind, message = http.StatusBadRequest, validation, "Input is too long for requested model."
	case ContentBlocked:
		status, kind, message = http.StatusBadRequest, validation, "Output blocked by content filtering policy"
	case TooLarge:
		status, kind, message = http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request body is larger than 25 MB."
	}
	return response{
		status: status, contentType: contentJSON, header: http.Header{"X-Amzn-Errortype": {kind + ":http://internal.amazon.com/coral/com.amazon.bedrock/"}, "X-Amzn-Requestid": {f.id}},
		pieces: [][]byte{object(member("message", str(f.said(message)))).Append(nil)},
	}
}

func (bedrock) inside(streamed bool) []byte {
	const message = "The service is temporarily unavailable."
	if streamed {
		return frame("exception", ":exception-type", "serviceUnavailableException", object(member("message", str(message))))
	}
	return object(member("__type", str("com.amazon.coral.service#ServiceUnavailableException")), member("message", str(message))).Append(nil)
}
