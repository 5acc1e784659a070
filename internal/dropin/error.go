package dropin

import (
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Error is a fault as OpenAI words errors.
type Error struct {
	Message, Type, Param, Code string
	// Ours stands beside theirs as promptd; empty is none.
	Ours []byte
}

// ErrorOf words a fault. schemaAt is the schema's place in the body, empty where it is not known.
func ErrorOf(format dialect.Format, schemaAt string, f *fault.Fault) Error {
	e := Error{Message: f.Detail, Type: typeOf(f.Code), Code: strings.ToLower(f.Code.String())}
	remedy := f.Remediation
	if len(f.Entries) > 0 {
		first := f.Entries[0]
		e.Param = param(format, schemaAt, first.Pointer)
		if e.Message == "" {
			e.Message = first.Message
		}
		if remedy == "" {
			remedy = first.Hint
		}
		if f.Code == fault.InvalidRequest {
			e.Code = codeOf(first.Rule)
		}
	}
	if remedy == "" && f.Code != fault.InvalidRequest {
		remedy = f.Code.Row().Remediation
	}
	if remedy != "" {
		e.Message = sentence(e.Message) + " " + remedy
	}
	e.Message = here(format, e.Message)
	switch f.Code {
	case fault.Unauthorized:
		e.Code = "invalid_api_key"
	case fault.NotFound:
		if e.Param == "model" {
			e.Code = "model_not_found"
		}
	case fault.RateLimitExceeded:
		e.Code = "rate_limit_exceeded"
	}
	return e
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// here names parameters as the format does. Texts of the pipeline name those of POST /v1/analyze.
func here(f dialect.Format, s string) string {
	if !strings.Contains(s, "options.") {
		return s
	}
	tokens := "max_tokens"
	if f == dialect.Responses {
		tokens = "max_output_tokens"
	}
	return strings.NewReplacer("promptd.options.", "promptd.", "options.max_tokens", tokens, "options.model", "model", "options.temperature", "temperature", "options.", "promptd.").Replace(s)
}

// typeOf gives the type that clients of OpenAI know.
func typeOf(c fault.Code) string {
	switch c {
	case fault.BudgetExceeded:
		return "insufficient_quota"
	case fault.RateLimitExceeded:
		return "requests"
	case fault.ValidationFailed:
		return "validation_error"
	case fault.Forbidden:
		return "permission_error"
	}
	if c.Status() >= http.StatusInternalServerError {
		return "server_error"
	}
	return "invalid_request_error"
}

// codeOf gives the code of a rule that a request broke.
func codeOf(rule string) string {
	switch rule {
	case "unknown_parameter", "unsupported_parameter":
		return rule
	case "unknown_field":
		return "unknown_parameter"
	case "unsupported":
		return "unsupported_parameter"
	case "required":
		return "missing_required_parameter"
	case "type":
		return "invalid_type"
	case "limits.prompt_chars":
		return "string_above_max_length"
	default:
		return "invalid_value"
	}
}

// param names a place of the body as OpenAI does: messages[0].content.
func param(f dialect.Format, schemaAt, pointer string) string {
	if rest, ok := strings.CutPrefix(pointer, "/schema"); ok && schemaAt != "" {
		pointer = schemaAt + rest
	}
	if rest, ok := strings.CutPrefix(pointer, "/options"); ok {
		switch rest {
		case "/model", "/temperature":
			pointer = rest
		case "/max_tokens":
			pointer = "/max_tokens"
			if f == dialect.Responses {
				pointer = "/max_output_tokens"
			}
		default:
			pointer = "/promptd" + rest
		}
	}
	if f == dialect.Responses && (strings.HasPrefix(pointer, "/messages") || pointer == "/prompt") {
		pointer = "/input"
	} else if pointer == "/prompt" {
		pointer = "/messages"
	}
	tokens, ok := value.Tokens(pointer)
	if !ok {
		return ""
	}
	var b strings.Builder
	for i, t := range tokens {
		switch {
		case i > 0 && t != "" && strings.Trim(t, "0123456789") == "":
			b.WriteString("[" + t + "]")
		case i > 0:
			b.WriteString("." + t)
		default:
			b.WriteString(t)
		}
	}
	return clip(b.String())
}

// Append writes the body of an error's answer.
func (e Error) Append(dst []byte) []byte {
	return append(e.appendObject(append(dst, `{"error":`...)), '}')
}

func (e Error) appendObject(dst []byte) []byte {
	dst = value.AppendQuoted(append(dst, `{"message":`...), e.Message)
	dst = value.AppendQuoted(append(dst, `,"type":`...), e.Type)
	dst = append(dst, `,"param":`...)
	if e.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = value.AppendQuoted(dst, e.Param)
	}
	dst = value.AppendQuoted(append(dst, `,"code":`...), e.Code)
	if len(e.Ours) > 0 {
		dst = append(append(dst, `,"promptd":`...), e.Ours...)
	}
	return append(dst, '}')
}

// SchemaAt is the schema's place in the body, for ErrorOf; empty where there is none.
func (q *Request) SchemaAt() string {
	if q == nil {
		return ""
	}
	return q.schemaAt
}
