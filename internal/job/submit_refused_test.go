package job_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/storetest"
)

// hanging answers every submission with one fault, as a store does whose server hangs.
type hanging struct {
	*storetest.JobModel
	word *fault.Fault
}

// Submit keeps nothing.
func (h hanging) Submit(context.Context, []job.Submission) ([]job.Submitted, error) {
	return nil, h.word
}

// TestWhatWasNotAcknowledgedSaysHowToSendItAgain: whether the store says what is wrong with it or not, the caller is told that the key makes the next try safe.
func TestWhatWasNotAcknowledgedSaysHowToSendItAgain(t *testing.T) {
	t.Parallel()
	for name, word := range map[string]*fault.Fault{
		"the store says why":    {Code: fault.Overloaded, Detail: "the database does not answer in time", RetryAfter: 2 * time.Second},
		"the store says little": {Code: fault.Internal, Detail: "something"},
	} {
		d := deskOn(func(m *storetest.JobModel) job.Store { return hanging{m, word} })
		_, err := d.submit(t, `{"prompt":"x"}`, "k")
		f := fault.Of(err)
		if f.Code != fault.Overloaded || f.RetryAfter <= 0 || !strings.Contains(f.Remediation, "Idempotency-Key") || !strings.Contains(f.Detail, "not acknowledged") {
			t.Errorf("%s: got %+v", name, f)
		}
		if word.Remediation != "" {
			t.Errorf("%s: the store's own fault was changed to %+v", name, word)
		}
	}
}

// TestARefusedUploadHasCostARequest: one is asked for before anything is read, and nothing is read where it is refused.
func TestARefusedUploadHasCostARequest(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing": "", "a wrong first line": "[]\n", "a wrong line": "{}\n{}\n"} {
		d, cost := newDesk(), 0
		if _, err := d.lines(t, text, "", key.Anyone(), func(n int) error { cost += n; return nil }); !fault.Is(err, fault.InvalidRequest) || cost != 1 {
			t.Errorf("%s: got %v for %d, want it refused for 1", name, err, cost)
		}
	}
	d := newDesk()
	if _, err := d.lines(t, "[]\n", "", key.Anyone(), func(int) error { return fault.New(fault.RateLimitExceeded, "no") }); !fault.Is(err, fault.RateLimitExceeded) {
		t.Errorf("got %v, want the limit's word before the first line is looked at", err)
	}
}
