package job

import (
	"errors"
	"fmt"
	"time"
)

// CheckHead says what makes a submission one that no store keeps, its items aside. These are faults of the program: callers' faults are found before.
func (s *Submission) CheckHead() error {
	switch {
	case s.Job.ID == "":
		return errors.New("keep a job: it has no id")
	case s.Job.Priority < High || s.Job.Priority > Low:
		return fmt.Errorf("keep the job %s: %d is no priority", s.Job.ID, s.Job.Priority)
	}
	return nil
}

// Check says what makes a submission one that no store keeps.
func (s *Submission) Check() error {
	if len(s.Items) < 1 || len(s.Items) > MostItems {
		return fmt.Errorf("keep the job %s: it has %d items; a job holds 1 to %d", s.Job.ID, len(s.Items), MostItems)
	}
	return s.CheckHead()
}

// Kept gives the job as a store keeps it from now on, by its clock. Times are kept in microseconds.
func (s *Submission) Kept(now time.Time) Job {
	j := s.Job
	j.State, j.Run, j.Progress = Pending, 1, Progress{Total: len(s.Items)}
	j.CreatedAt = kept(now)
	j.StartedAt, j.CompletedAt, j.ExpiresAt, j.ForgottenAt, j.Gone = time.Time{}, time.Time{}, time.Time{}, time.Time{}, false
	if j.RunAt = kept(j.RunAt); j.RunAt.IsZero() {
		j.RunAt = j.CreatedAt
	}
	if j.Deadline = kept(j.Deadline); j.Deadline.IsZero() {
		j.Deadline = j.RunAt.Add(Patience)
	}
	return j
}

// Begin makes the job one that something of is being done.
func (j *Job) Begin(now time.Time) { j.State, j.StartedAt = Processing, kept(now) }

// End makes the job final.
func (j *Job) End(s State, now time.Time) {
	j.State, j.CompletedAt = s, kept(now)
	j.ExpiresAt = j.CompletedAt.Add(Keep)
	j.ForgottenAt = j.ExpiresAt.Add(Forget)
}

// Again makes a job that is over the next run of what failed or was cancelled. It gets as long as it had until its deadline.
func (j *Job) Again(now time.Time) {
	patience := j.Deadline.Sub(j.RunAt)
	j.State, j.RunAt, j.Deadline = Pending, kept(now), kept(now).Add(patience)
	j.Run++
	j.Progress.Failed, j.Progress.Cancelled = 0, 0
	j.StartedAt, j.CompletedAt, j.ExpiresAt, j.ForgottenAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
}

// Retriable says that a job that is over has something to be done again, and its results still.
func (j *Job) Retriable() bool { return !j.Gone && j.Progress.Failed+j.Progress.Cancelled > 0 }

// Ended counts the end of one item.
func (p *Progress) Ended(s ItemState) {
	switch s {
	case ItemCompleted:
		p.Completed++
	case ItemFailed:
		p.Failed++
	case ItemCancelled:
		p.Cancelled++
	case ItemPending, ItemLeased, ItemWaiting:
	}
}

// kept is a time as stores keep it.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
