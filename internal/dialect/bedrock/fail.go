package bedrock

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// maxMessage is how much of an error's text is looked at.
const maxMessage = 4096

// failure is an error as the service words it. Its message is for classification alone and never leaves this package: services echo prompts in it.
type failure struct {
	kind    string // the exception's name
	message string
}

// Fail classifies an answer whose status is not 200. The exception's name is a header; services in front of Converse put it into the body.
func (Dialect) Fail(r dialect.Response) *dialect.Error {
	body := bytes.TrimSpace(r.Body)
	var m message
	m.read(body)
	f := m.failure
	if kind := r.Header.Get("X-Amzn-Errortype"); kind != "" {
		f.kind = kind
	}
	if f.message == "" {
		f.message = cut(string(body[:min(len(body), maxMessage)]))
	}
	return f.error(r.Status, r.Header, m.usage.total())
}

func (f *failure) said() bool { return f.kind != "" || f.message != "" }

// read takes the members that an error may have.
func (f *failure) read(s *scan.Scanner, name string) {
	switch name {
	case "message", "Message":
		if s.Kind() == '"' {
			f.message = cut(s.Text())
		}
	case "__type", "code":
		if s.Kind() == '"' && f.kind == "" {
			f.kind = s.Text()
		}
	}
}

// error makes the error that promptd acts on.
func (f *failure) error(status int, h http.Header, u dialect.Usage) *dialect.Error {
	judged := status
	if status == http.StatusOK {
		judged = 0
	}
	name := f.name()
	e := &dialect.Error{Status: status, Usage: u, Code: name, Outcome: outcome(strings.ToLower(name), strings.ToLower(f.message), judged)}
	switch e.Outcome {
	case dialect.RateLimited, dialect.OverloadedProvider, dialect.Timeout:
		e.Wait = dialect.RetryAfter(h) // Bedrock itself does not say; gateways may.
	}
	return e
}

// name is the exception's bare name: without the namespace before it and the address behind it. What carries text is no name.
func (f *failure) name() string {
	name := f.kind[strings.LastIndexByte(f.kind, '#')+1:]
	name, _, _ = strings.Cut(name, ":")
	if strings.ContainsFunc(name, func(r rune) bool { return notInName(r) && r != '.' }) {
		return ""
	}
	return name[:min(len(name), 100)]
}

// outcome judges by the exception's name in small letters, then by what its message says, then by the status. Streams begin the same names with a small letter.
// 2026-11: botocore 1.44.5 lists those of Converse; those of signatures are common to all of AWS.
func outcome(name, message string, status int) dialect.Outcome {
	switch strings.TrimSuffix(name, "exception") {
	case "accessdenied", "unrecognizedclient", "expiredtoken", "invalidsignature", "signaturedoesnotmatch", "incompletesignature",
		"missingauthenticationtoken", "invalidclienttokenid", "optinrequired", "notauthorized":
		return dialect.Auth
	case "throttling", "toomanyrequests", "requestlimitexceeded":
		if strings.Contains(message, "per day") {
			return dialect.Quota // The day's tokens are used up.
		}
		return dialect.RateLimited
	case "servicequotaexceeded":
		return dialect.Quota
	case "modelnotready", "serviceunavailable", "internalserver", "internalfailure", "modelerror", "modelstreamerror":
		return dialect.OverloadedProvider
	case "modeltimeout", "requesttimeout":
		return dialect.Timeout
	case "requestentitytoolarge":
		return dialect.TooLarge
	case "resourcenotfound", "conflict", "unknownoperation":
		return dialect.BadRequest
	case "validation", "serialization":
		if o, ok := byMessage(message); ok {
			return o
		}
		return dialect.BadRequest
	}
	if status == 0 || status == http.StatusBadRequest {
		if o, ok := byMessage(message); ok {
			return o
		}
	}
	return dialect.OfStatus(status)
}

// byMessage knows the wordings of refused requests, which have one name for all of them. Most are the model's own service's, passed on.
func byMessage(message string) (dialect.Outcome, bool) {
	has := func(phrases ...string) bool {
		for _, p := range phrases {
			if strings.Contains(message, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("output_config", "output_format", "outputconfig", "textformat", "response_format"),
		has("structured output", "json_schema", "json schema", "schema is too complex", "compiled grammar"):
		return dialect.SchemaRejected, true
	case has("toolconfig", "toolchoice", "tool_choice", "toolspec", "input_schema", "inputschema", "support tool use", "tools."):
		return dialect.SchemaRejected, true // The tool is promptd's own. Some models take none, others none in a stream.
	case has("input is too long", "prompt is too long", "too many input tokens", "context length", "context window", "context limit"):
		return dialect.ContextExceeded, true
	case has("content filter", "content policy", "blocked by"):
		return dialect.Filtered, true
	case has("image exceeds", "image dimensions exceed", "request is too large"):
		return dialect.TooLarge, true
	}
	return dialect.Unknown, false
}

func cut(s string) string { return s[:min(len(s), maxMessage)] }
