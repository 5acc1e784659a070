package api

import (
	"context"
	"net/http"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
	"github.com/promptd/promptd/internal/value"
)

// listJobs is GET /v1/jobs.
func (s *Server) listJobs(c *call) error {
	q := c.query()
	f := job.Filter{Limit: q.number("limit", usage.DefaultPage, 1, usage.MaxPage), From: q.time("from"), To: q.time("to")}
	names := make([]string, 0, len(job.States()))
	for _, state := range job.States() {
		names = append(names, string(state))
	}
	f.State = job.State(q.enum("status", names...))
	cursor, _ := q.text("cursor")
	f.After = job.Cursor(cursor)
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Jobs.Jobs(c.r.Context(), key.OfTeam(c.caller.Team), f)
	if err != nil {
		return err
	}
	page := []byte(`{"data":[`)
	for i := range list {
		if i > 0 {
			page = append(page, ',')
		}
		page = list[i].Append(page, nil)
	}
	page = append(page, ']')
	if next != "" {
		page = value.AppendQuoted(append(page, `,"next_cursor":`...), string(next))
	}
	return c.bytes(http.StatusOK, append(page, '}', '\n'))
}

// readOneJob is GET /v1/jobs/{id}.
func (s *Server) readOneJob(c *call) error {
	j, only, err := s.deps.Jobs.Job(c.r.Context(), key.OfTeam(c.caller.Team), c.jobID())
	if err == nil {
		err = stillKept(&j)
	}
	if err != nil {
		return err
	}
	return c.bytes(http.StatusOK, append(j.Append(nil, only), '\n'))
}

// stillKept refuses a job whose results were deleted.
func stillKept(j *job.Job) error {
	if !j.Gone {
		return nil
	}
	f := fault.New(fault.Gone, "the results of the job %s were deleted: they are kept for %d hours after its end", j.ID, int(job.Keep.Hours()))
	f.Remediation = "Submit it again; read results sooner, or have a webhook told."
	return f
}

// cancelJob is DELETE /v1/jobs/{id}.
func (s *Server) cancelJob(c *call) error {
	j, err := s.deps.Jobs.Cancel(c.r.Context(), key.OfTeam(c.caller.Team), c.jobID())
	if err != nil && j.State == job.Cancelled { // A second call finds what the first has done.
		err = nil
	}
	if err != nil {
		return err
	}
	return c.bytes(http.StatusOK, append(j.Append(nil, nil), '\n'))
}

// retryJob is POST /v1/jobs/{id}/retry. It needs no idempotency key: the same job is not begun twice, since one that is not over is a conflict.
func (s *Server) retryJob(c *call) error {
	asked, err := readAsked(c, true, readNothing)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		j, err := s.deps.Jobs.Retry(ctx, key.OfTeam(c.caller.Team), c.jobID())
		if err != nil {
			return idempotency.Response{}, err
		}
		return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(j.Append(nil, nil), '\n')}, nil
	})
}
