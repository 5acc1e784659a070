package openai

import (
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Failure is an error inside an answer, for other dialects of the services that word their errors as this one does. The zero Failure is none.
type Failure struct {
	failure *failure
}

// ReadFailure reads the member that holds an error: an object, a text, or null.
func ReadFailure(s *scan.Scanner) Failure {
	f := readFailure(s)
	if f != nil {
		f.kind = or(f.kind, f.code) // The responses format names no type.
	}
	return Failure{f}
}

// NewFailure is an error whose members stand beside others.
func NewFailure(code, message, param string) Failure {
	return Failure{&failure{code: code, kind: code, message: cut(message), param: param}}
}

// Known reports whether there is an error.
func (f Failure) Known() bool { return f.failure != nil }

// Error makes the error that promptd acts on, for an answer with status 200; the header may be nil. It is called for a failure that is known.
func (f Failure) Error(h http.Header, u dialect.Usage) *dialect.Error {
	return f.failure.error(http.StatusOK, h, &chunk{usage: u})
}
