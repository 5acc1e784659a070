package gemini_test

import (
	"errors"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/gemini"
)

// Inside a 200 the canonical code stands for the status that is missing.
func TestCanonicalCodesAreOutcomes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]dialect.Outcome{
		"INVALID_ARGUMENT": dialect.BadRequest, "FAILED_PRECONDITION": dialect.BadRequest, "OUT_OF_RANGE": dialect.BadRequest, "NOT_FOUND": dialect.BadRequest,
		"UNIMPLEMENTED": dialect.BadRequest, "UNAUTHENTICATED": dialect.Auth, "PERMISSION_DENIED": dialect.Auth, "RESOURCE_EXHAUSTED": dialect.RateLimited,
		"ABORTED": dialect.OverloadedProvider, "ALREADY_EXISTS": dialect.OverloadedProvider, "INTERNAL": dialect.OverloadedProvider,
		"UNKNOWN": dialect.OverloadedProvider, "DATA_LOSS": dialect.OverloadedProvider, "UNAVAILABLE": dialect.OverloadedProvider,
		"DEADLINE_EXCEEDED": dialect.Timeout, "CANCELLED": dialect.Timeout, "TIRED": dialect.Unknown, "": dialect.Unknown,
	} {
		_, err := gemini.New().Decode(dialect.Response{Status: 200, Body: []byte(`{"error":{"message":"x","status":"` + code + `"}}`)})
		var failed *dialect.Error
		if !errors.As(err, &failed) || failed.Outcome != want || failed.Code != code {
			t.Errorf("%s is %v, want %s", code, err, want)
		}
	}
}
