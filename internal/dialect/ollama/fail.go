package ollama

import (
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
)

// Fail classifies an answer whose status is not 200. What the server says of a schema counts with any status: some releases answer 500.
func (d Dialect) Fail(r dialect.Response) *dialect.Error {
	e := d.chat.Fail(r)
	if refusesSchema(read(r.Body).fault) {
		e.Outcome = dialect.SchemaRejected
	}
	return e
}

// failed is the error inside an answer. One that says nothing known is the server's own fault: the request was taken.
func (c *chunk) failed(h http.Header, u dialect.Usage) error {
	e := c.failure.Error(h, u)
	switch {
	case refusesSchema(c.fault):
		e.Outcome = dialect.SchemaRejected
	case e.Outcome == dialect.Unknown:
		e.Outcome = dialect.OverloadedProvider
	}
	return e
}

// refusesSchema knows the wordings about a format that becomes no grammar.
func refusesSchema(text string) bool {
	text = strings.ToLower(text)
	for _, phrase := range [...]string{
		"invalid json schema in format", "failed to parse format", `invalid format: "`, "failed to parse grammar", "grammar error",
	} {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}
