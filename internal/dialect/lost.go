package dialect

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// The codes of streams that are not read to their end.
const (
	CodeStreamCut = "truncated_stream"
	CodeTooLarge  = "answer_too_large"
)

// Lost says that a stream ended before its answer did, or in bound, the error by which its reader says that an event is beyond its size. What was used until then
// is kept.
func Lost(err error, usage Usage, bound error) *Error {
	e := &Error{Outcome: Connection, Status: http.StatusOK, Code: CodeStreamCut, Usage: usage, Cause: err}
	switch {
	case errors.Is(err, io.EOF):
		e.Cause = io.ErrUnexpectedEOF
	case errors.Is(err, bound):
		e.Outcome, e.Code = Unknown, CodeTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		e.Outcome = Timeout
	case errors.Is(err, context.Canceled):
		e.Outcome = Cancelled
	}
	return e
}
