package cli

import (
	"errors"
	"testing"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/fault"
)

// TestExitCodeOfAJobThatIsOver: a provider or a limit that was in the job's way is the job's failure, and none of the call that asked for the job.
func TestExitCodeOfAJobThatIsOver(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		job  client.Job
		want int
	}{
		{client.Job{Status: client.JobCompleted}, fault.ExitDone},
		{client.Job{Status: client.JobFailed, Problem: &client.Error{Code: "VALIDATION_FAILED", Status: 422}}, fault.ExitInvalid},
		{client.Job{Status: client.JobFailed, Problem: &client.Error{Code: "LLM_PROVIDER_ERROR", Status: 502}}, fault.ExitFailed},
		{client.Job{Status: client.JobFailed, Problem: &client.Error{Code: "UNAUTHORIZED", Status: 401}}, fault.ExitFailed},
		{client.Job{Status: client.JobCompletedWithErrors}, fault.ExitFailed},
		{client.Job{Status: client.JobExpired}, fault.ExitFailed},
	} {
		got := fault.ExitDone
		var code exit
		if err := ended(&x.job); errors.As(err, &code) {
			got = int(code)
		} else if err != nil {
			t.Errorf("%s: %v, which is no exit code", x.job.Status, err)
		}
		if got != x.want {
			t.Errorf("%s %v: exit code %d, want %d", x.job.Status, x.job.Problem, got, x.want)
		}
	}
}
