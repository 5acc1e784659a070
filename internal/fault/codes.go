package fault

// Code is one of the product's error codes (product.md section 3).
type Code uint8

// The codes, in the order of the reference.
const (
	Internal Code = iota
	InvalidRequest
	InvalidSchema
	Unauthorized
	Forbidden
	BudgetExceeded
	NotFound
	MethodNotAllowed
	NotAcceptable
	Conflict
	Gone
	UnsupportedMediaType
	PayloadTooLarge
	ValidationFailed
	ContentRefused
	RateLimitExceeded
	ProviderError
	Overloaded
	Timeout
)

// Row is what the table says of a code.
type Row struct {
	// Name is the code on the wire.
	Name string
	// Status is the HTTP status.
	Status int
	// Title is the short text of a problem document, the same for every occurrence.
	Title string
	// Remediation is what to do where the fault itself says nothing better.
	Remediation string
	// Exit is the exit code of the command line (configuration.md).
	Exit int
}

// Exit codes of the command line (configuration.md).
const (
	ExitDone         = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitInvalid      = 3
	ExitUnauthorized = 4
	ExitUnavailable  = 5
)

// Row gives the code's line of the table.
func (c Code) Row() Row {
	rows := table()
	if int(c) < len(rows) {
		return rows[c]
	}
	return rows[Internal]
}

// String gives the code's name on the wire.
func (c Code) String() string { return c.Row().Name }

// Status gives the code's HTTP status.
func (c Code) Status() int { return c.Row().Status }

// Codes lists every code in the order of the reference.
func Codes() []Code {
	codes := make([]Code, Timeout+1)
	for i := range codes {
		codes[i] = Code(i)
	}
	return codes
}

// Named finds a code by its name on the wire.
func Named(name string) (Code, bool) {
	for i, row := range table() {
		if row.Name == name {
			return Code(i), true
		}
	}
	return Internal, false
}

func table() [Timeout + 1]Row {
	return [...]Row{
		Internal:             {"INTERNAL_ERROR", 500, "Internal error", "Try again; if it stays, report it with the request_id.", ExitFailed},
		InvalidRequest:       {"INVALID_REQUEST", 400, "Invalid request", "Correct the fields named in errors and send the request again.", ExitFailed},
		InvalidSchema:        {"INVALID_SCHEMA", 400, "Invalid schema", "Correct the schema at the pointers named in errors.", ExitFailed},
		Unauthorized:         {"UNAUTHORIZED", 401, "Unauthorized", "Send a valid key as Authorization: Bearer <key>; promptd keys create makes one.", ExitUnauthorized},
		Forbidden:            {"FORBIDDEN", 403, "Forbidden", "Use a key that has the scope named in the detail.", ExitUnauthorized},
		BudgetExceeded:       {"BUDGET_EXCEEDED", 402, "Budget exceeded", "Raise the budget or wait for the next period.", ExitFailed},
		NotFound:             {"NOT_FOUND", 404, "Not found", "Check the path and the id; /docs lists every path.", ExitFailed},
		MethodNotAllowed:     {"METHOD_NOT_ALLOWED", 405, "Method not allowed", "Use a method named in the Allow header.", ExitFailed},
		NotAcceptable:        {"NOT_ACCEPTABLE", 406, "Not acceptable", "Accept application/json, or text/event-stream with stream: true.", ExitFailed},
		Conflict:             {"CONFLICT", 409, "Conflict", "Change what the detail names, then send the request again.", ExitFailed},
		Gone:                 {"GONE", 410, "Gone", "The thing existed and is no longer kept; make it again.", ExitFailed},
		UnsupportedMediaType: {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported media type", "Send Content-Type: application/json, with no content encoding.", ExitFailed},
		PayloadTooLarge:      {"PAYLOAD_TOO_LARGE", 413, "Payload too large", "Send a smaller body, or raise limits.body_bytes.", ExitFailed},
		ValidationFailed:     {"VALIDATION_FAILED", 422, "Validation failed", "See validation.errors: correct the schema or the prompt, allow more attempts, or use a stronger model.", ExitInvalid},
		ContentRefused:       {"CONTENT_REFUSED", 422, "Content refused", "The model or its provider declined this content; change the prompt or use another model.", ExitInvalid},
		RateLimitExceeded:    {"RATE_LIMIT_EXCEEDED", 429, "Rate limit exceeded", "Wait for the time in Retry-After, or raise the key's limit.", ExitUnavailable},
		ProviderError:        {"LLM_PROVIDER_ERROR", 502, "Provider error", "See attempts for what each provider answered; promptd doctor checks the providers.", ExitUnavailable},
		Overloaded:           {"OVERLOADED", 503, "Overloaded", "Try again after the time in Retry-After.", ExitUnavailable},
		Timeout:              {"TIMEOUT", 504, "Timeout", "Raise options.timeout_ms, or use a faster model.", ExitUnavailable},
	}
}
