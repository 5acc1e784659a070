package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// The states of a job; the last five are those of one that is over.
const (
	JobPending             = "pending"
	JobProcessing          = "processing"
	JobCompleted           = "completed"
	JobCompletedWithErrors = "completed_with_errors"
	JobFailed              = "failed"
	JobCancelled           = "cancelled"
	JobExpired             = "expired"
)

// JobRequest is what POST /v1/jobs takes: a [Request] that is answered later, or Items, and then what the request holds is shared by those that bring none of
// their own. State and Answers are for [Client.Analyze] alone.
type JobRequest struct {
	Request
	// Items are the prompts of a batch. Many go better through [Client.SubmitStream], which holds none of them in memory.
	Items   []JobItem   `json:"items,omitempty"`
	Webhook *JobWebhook `json:"webhook,omitempty"`
	// Priority is low, normal (the default) or high; Urgency is normal (the default), or low for work that may wait a day for a lower price.
	Priority string `json:"priority,omitempty"`
	Urgency  string `json:"urgency,omitempty"`
	// RunAt is when the job may begin, at most 30 days ahead. One that nothing of has begun by its Deadline is expired.
	RunAt    time.Time `json:"run_at,omitzero"`
	Deadline time.Time `json:"deadline,omitzero"`
	// Metadata is an object of your own, of at most 16 KiB, which comes back with the job and its webhooks.
	Metadata any `json:"metadata,omitempty"`
}

// JobItem is one prompt of a batch. Those without an ID are counted from 0.
type JobItem struct {
	ID string `json:"id,omitempty"`
	Request
}

// JobWebhook says who is told of the job's end: a registered webhook by its ID, or a URL, whose secret the server makes where none is given.
type JobWebhook struct {
	ID     string `json:"id,omitempty"`
	URL    string `json:"url,omitempty"`
	Secret string `json:"secret,omitempty"`
}

// JobReceipt says that a job is accepted: it is on disk, and is finished whatever dies on the way.
type JobReceipt struct {
	ID        string    `json:"job_id"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	// Webhook holds the secret of an inline URL where the server made it.
	Webhook *JobWebhook `json:"webhook,omitempty"`
}

// JobProgress counts the prompts of a job. What is in none of the last three is still to be done.
type JobProgress struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// Ended counts the prompts that nothing more becomes of.
func (p JobProgress) Ended() int { return p.Completed + p.Failed + p.Cancelled }

// JobTry is one time that a worker had a prompt and did not end it. Code is one of a problem document, or LEASE_LOST where the worker was not heard of again.
type JobTry struct {
	Worker    string    `json:"worker"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Code      string    `json:"code"`
	Detail    string    `json:"detail,omitempty"`
}

// Job is a job. Answer or Problem is there where it has a single prompt and that has ended; Attempt and Tries are of such a job too.
type Job struct {
	ID       string          `json:"job_id"`
	Status   string          `json:"status"`
	Progress JobProgress     `json:"progress"`
	Answer   *Answer         `json:"result,omitempty"`
	Problem  *Error          `json:"error,omitempty"`
	Attempt  int             `json:"attempt,omitempty"`
	Tries    []JobTry        `json:"tries,omitempty"`
	Batch    bool            `json:"batch"`
	Run      int             `json:"run"`
	Priority string          `json:"priority"`
	Urgency  string          `json:"urgency"`
	Metadata json.RawMessage `json:"metadata"`
	// Times that have not come are zero. ExpiresAt is when the results are deleted.
	CreatedAt   time.Time `json:"created_at"`
	RunAt       time.Time `json:"run_at"`
	Deadline    time.Time `json:"deadline"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`

	// Raw is the whole job as it came.
	Raw json.RawMessage `json:"-"`
}

// Final says that the job is over.
func (j *Job) Final() bool {
	switch j.Status {
	case JobCompleted, JobCompletedWithErrors, JobFailed, JobCancelled, JobExpired:
		return true
	default:
		return false
	}
}

// UnmarshalJSON keeps the job, its answer and its problem as they came, too.
func (j *Job) UnmarshalJSON(raw []byte) error {
	type plain Job
	wire := struct {
		*plain
		Result json.RawMessage `json:"result"`
		Fault  json.RawMessage `json:"error"`
	}{plain: (*plain)(j)}
	err := json.Unmarshal(raw, &wire)
	if err == nil {
		j.Raw = bytes.Clone(raw)
		j.Answer, j.Problem, err = outcome(wire.Result, wire.Fault)
	}
	return err
}

// outcome reads an answer or a problem document where there is one.
func outcome(result, fault json.RawMessage) (a *Answer, e *Error, err error) {
	if len(result) > 0 {
		if a, err = readAnswer(result); err != nil {
			return nil, nil, err
		}
	}
	if len(fault) > 0 {
		e = &Error{Raw: fault}
		err = json.Unmarshal(fault, e)
	}
	return a, e, err
}

// Submit hands in a job, to be done later. Without an IdempotencyKey one is made, so that a submission whose answer was lost is accepted once.
func (c *Client) Submit(ctx context.Context, r JobRequest) (*JobReceipt, error) {
	body, err := encode(r)
	if err != nil {
		return nil, err
	}
	k := c.submission(r)
	k.body = body
	return receipt(fetch[*JobReceipt](ctx, c, k))
}

func (c *Client) submission(r JobRequest) call {
	k := call{method: http.MethodPost, path: "/v1/jobs", header: http.Header{}}
	if r.ClientRequestID != "" {
		k.header.Set("X-Request-ID", r.ClientRequestID)
	}
	id := r.IdempotencyKey
	if id == "" && c.retries > 0 {
		id = rand.Text()
	}
	if id != "" {
		k.header.Set("Idempotency-Key", id)
		k.repeatable = true
	}
	return k
}

func receipt(r *JobReceipt, err error) (*JobReceipt, error) {
	if err == nil && (r == nil || r.ID == "") {
		return nil, fmt.Errorf("POST /v1/jobs: the answer is not what promptd sends: it has no job_id")
	}
	return r, err
}

// Job reads a job. One whose results were deleted is an [Error] with [CodeGone].
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	return withID[*Job](ctx, c, http.MethodGet, "/v1/jobs", id, "", nil)
}

// CancelJob ends a job at once; what has ended of it stays. Once more is no fault; one that is over otherwise is an [Error] with [CodeConflict].
func (c *Client) CancelJob(ctx context.Context, id string) (*Job, error) {
	path, err := pathOf("/v1/jobs", id, "")
	if err != nil {
		return nil, err
	}
	return fetch[*Job](ctx, c, call{method: http.MethodDelete, path: path, repeatable: true})
}

// RetryJob has those prompts of a job that is over done again that failed or were cancelled.
func (c *Client) RetryJob(ctx context.Context, id string) (*Job, error) {
	path, err := pathOf("/v1/jobs", id, "/retry")
	if err != nil {
		return nil, err
	}
	k := call{method: http.MethodPost, path: path, header: http.Header{}}
	if c.retries > 0 {
		k.header.Set("Idempotency-Key", rand.Text())
		k.repeatable = true
	}
	return fetch[*Job](ctx, c, k)
}

// JobFilter chooses jobs; empty fields choose all. From and To bound the time of the submission: From is included, To is not.
type JobFilter struct {
	Page
	Status   string
	From, To time.Time
}

func (f JobFilter) query() url.Values {
	q := f.Page.query()
	setTime(q, "from", f.From)
	setTime(q, "to", f.To)
	if f.Status != "" {
		q.Set("status", f.Status)
	}
	return q
}

// ListJobs reads a page of jobs, the newest first, without results.
func (c *Client) ListJobs(ctx context.Context, f JobFilter) (*List[Job], error) {
	return fetch[*List[Job]](ctx, c, call{method: http.MethodGet, path: "/v1/jobs", query: f.query(), repeatable: true})
}

// Jobs reads jobs, page by page.
func (c *Client) Jobs(ctx context.Context, f JobFilter) iter.Seq2[Job, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Job], error) {
		if p.Cursor != "" {
			f.Cursor = p.Cursor
		}
		return c.ListJobs(ctx, f)
	})
}
