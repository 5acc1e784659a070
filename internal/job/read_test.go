package job_test

import (
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// TestAnIDWithNULIsRefusedBeforeAnyStore: one engine could not keep it, and would name no item.
func TestAnIDWithNULIsRefusedBeforeAnyStore(t *testing.T) {
	t.Parallel()
	refusedAt(t, `{"items":[{"prompt":"one"},{"id":"a\u0000b","prompt":"two"}]}`, "/items/1/id", "U+0000")
}

func TestAPromptBesideItemsIsRefused(t *testing.T) {
	t.Parallel()
	refusedAt(t, `{"prompt":"one","items":[{"prompt":"two"}]}`, "/prompt", "prompt and items")
}

// refusedAt wants one fault of a body of POST /v1/jobs.
func refusedAt(t *testing.T, text, pointer, says string) {
	t.Helper()
	v, err := value.Decode([]byte(text), value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = job.ReadSubmission(v, prompt.Defaults{}, time.Now())
	f := fault.Of(err)
	if f.Code != fault.InvalidRequest || len(f.Entries) != 1 || f.Entries[0].Pointer != pointer || !strings.Contains(f.Entries[0].Message, says) {
		t.Errorf("%s: got %v %+v, want INVALID_REQUEST at %s", text, err, f, pointer)
	}
}
