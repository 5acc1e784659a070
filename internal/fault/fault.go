// Package fault holds the one error type that crosses package borders with a meaning for callers, and the table of its codes.
//
// A Fault is made where the meaning is known and rendered to HTTP, to the command line or into a job's row in one place each.
// It is not for wrapping: everything that a caller of the product does not need to tell apart stays an ordinary wrapped error.
//
// The main type is [Fault]. The table in codes.go gives each code its HTTP status, title, remediation and exit code; the
// reference page and the OpenAPI document are generated from it.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Fault is an error that the caller of promptd is told about. Its texts never hold prompt text, model output or secrets.
type Fault struct {
	// Code is one of the product's codes.
	Code Code
	// Detail says in plain words what is wrong: the thing, the limit, the way out.
	Detail string
	// Remediation says what to do about it; empty means the code's own.
	Remediation string
	// Entries name the single faults of a request, each with a JSON pointer into the body.
	Entries []Entry
	// RetryAfter is the time after which the same request may work; 0 says nothing.
	RetryAfter time.Duration
	// Cause is the error behind this one, for logs; it is never shown to the caller.
	Cause error
}

// Entry is one fault of a request: where, which rule, why and what to do.
type Entry struct {
	// Pointer is a JSON pointer (RFC 6901) into the request's body; empty means the whole body or no place in it.
	Pointer string `json:"pointer"`
	// Rule is a short name of the violated rule, such as "required", "type", "unknown_field", "range".
	Rule string `json:"rule"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Hint says how to put it right.
	Hint string `json:"hint,omitempty"`
}

// New makes a Fault with a formatted detail.
func New(code Code, format string, args ...any) *Fault {
	return &Fault{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Invalid makes an INVALID_REQUEST fault with one entry.
func Invalid(pointer, rule, message, hint string) *Fault {
	return &Fault{Code: InvalidRequest, Detail: message, Entries: []Entry{{Pointer: pointer, Rule: rule, Message: message, Hint: hint}}}
}

// Because returns the fault with its cause set.
func (f *Fault) Because(cause error) *Fault {
	f.Cause = cause
	return f
}

// Error says code and detail; the cause follows for logs.
func (f *Fault) Error() string {
	if f.Cause != nil {
		return f.Code.String() + ": " + f.Detail + ": " + f.Cause.Error()
	}
	return f.Code.String() + ": " + f.Detail
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// Of finds the Fault in an error's chain; any other error becomes an INTERNAL_ERROR whose cause it is.
func Of(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return New(Internal, "something failed inside promptd").Because(err)
}

// Is reports whether the error's chain holds a Fault with the code.
func Is(err error, code Code) bool {
	f, ok := errors.AsType[*Fault](err)
	return ok && f.Code == code
}
