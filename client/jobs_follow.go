package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// mostLooks is how often in a row a job is looked for again while nothing is heard of it: with waits of up to five seconds that bridges the restart of a server.
const mostLooks = 12

// JobResult is what became of one prompt of a job: Answer or Problem, by its Status of passed, needs_input, failed or cancelled.
type JobResult struct {
	ID      string   `json:"id"`
	Status  string   `json:"status"`
	Answer  *Answer  `json:"result,omitempty"`
	Problem *Error   `json:"error,omitempty"`
	Tries   []JobTry `json:"tries,omitempty"`
	// After is the place behind this one, for [JobResultsQuery] of the same order.
	After int `json:"after"`

	// Raw is the line as it came.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the line, its answer and its problem as they came, too.
func (r *JobResult) UnmarshalJSON(raw []byte) error {
	type plain JobResult
	wire := struct {
		*plain
		Result json.RawMessage `json:"result"`
		Fault  json.RawMessage `json:"error"`
	}{plain: (*plain)(r)}
	err := json.Unmarshal(raw, &wire)
	if err == nil {
		r.Raw = bytes.Clone(raw)
		r.Answer, r.Problem, err = outcome(wire.Result, wire.Fault)
	}
	return err
}

// JobResultsQuery chooses results.
type JobResultsQuery struct {
	// Follow waits for the rest, until the job is over; it implies ByEnd.
	Follow bool
	// ByEnd gives them in the order of their ends, and not of the prompts.
	ByEnd bool
	// After is the After of the last result that was read, to go on behind it.
	After int
}

func (q JobResultsQuery) query() url.Values {
	v := url.Values{}
	if q.Follow {
		v.Set("follow", "true")
	}
	if q.ByEnd || q.Follow {
		v.Set("order", "completed")
	}
	if q.After > 0 {
		v.Set("after", strconv.Itoa(q.After))
	}
	return v
}

// JobResults reads what has ended of a job, prompt by prompt. A connection that breaks is made again, and the reading goes on where it was. A pair with an error is
// the last.
func (c *Client) JobResults(ctx context.Context, id string, q JobResultsQuery) iter.Seq2[JobResult, error] {
	return func(yield func(JobResult, error) bool) {
		more, over := true, false
		err := c.persist(ctx, func() (heard, done bool, err error) {
			heard, err = c.readResults(ctx, id, &q, func(r JobResult) bool { more = yield(r, nil); return more })
			if err != nil || !more || !q.Follow || over {
				return heard, err == nil, err
			}
			// A server that ends closes what it sends. Only a look that began when the job was over has seen all of it.
			j, err := c.Job(ctx, id)
			if err != nil {
				return heard, false, err
			}
			over = j.Final()
			return true, false, nil
		})
		if err != nil && more {
			yield(JobResult{}, err)
		}
	}
}

// readResults reads results once, and moves q behind what it has read.
func (c *Client) readResults(ctx context.Context, id string, q *JobResultsQuery, yield func(JobResult) bool) (heard bool, err error) {
	path, err := pathOf("/v1/jobs", id, "/results")
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.send(ctx, call{method: http.MethodGet, path: path, query: q.query(), accept: "application/x-ndjson, application/problem+json", repeatable: true})
	if err != nil {
		return false, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	lines := &eventReader{in: bufio.NewReader(response.Body)}
	for {
		line, err := lines.line()
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return heard, nil
		}
		if err != nil {
			return heard, fmt.Errorf("read the results: %w", err)
		}
		var r JobResult
		if err := json.Unmarshal(line, &r); err != nil {
			return heard, notPromptd("GET "+path, err)
		}
		if r.Status == "" {
			if r.Problem == nil {
				return heard, notPromptd("GET "+path, errors.New("a line has no status"))
			}
			return heard, r.Problem
		}
		heard, q.After = true, r.After
		if !yield(r) {
			return heard, nil
		}
	}
}

// foreignError says that something else than promptd answered: asking again would give the same.
type foreignError struct {
	call string
	err  error
}

// Error says which call.
func (e *foreignError) Error() string {
	return e.call + ": the answer is not what promptd sends: " + e.err.Error()
}

// Unwrap gives the cause.
func (e *foreignError) Unwrap() error { return e.err }

func notPromptd(call string, err error) error { return &foreignError{call, err} }

// WatchJob gives a job as it is, and again whenever it has changed, until it is over: then it comes with its result, as the last. A connection that breaks is made
// again. A pair with an error is the last too.
func (c *Client) WatchJob(ctx context.Context, id string) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		more := true
		err := c.persist(ctx, func() (heard, done bool, err error) {
			heard, over, err := c.readEvents(ctx, id, func(j *Job) bool { more = yield(j, nil); return more })
			return heard, over || !more, err
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}

// WaitJob waits until a job is over, and gives it with its result. Results of a batch are read by [Client.JobResults].
func (c *Client) WaitJob(ctx context.Context, id string) (*Job, error) {
	var last *Job
	for j, err := range c.WatchJob(ctx, id) {
		if err != nil {
			return nil, err
		}
		last = j
	}
	return last, nil
}

// readEvents follows a job over one connection.
func (c *Client) readEvents(ctx context.Context, id string, yield func(*Job) bool) (heard, over bool, err error) {
	path, err := pathOf("/v1/jobs", id, "/events")
	if err != nil {
		return false, false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.send(ctx, call{method: http.MethodGet, path: path, stream: true, repeatable: true})
	if err != nil {
		return false, false, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	events := newEventReader(response.Body)
	for {
		event, err := events.next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return heard, false, fmt.Errorf("follow the job: %w", err)
		}
		j := &Job{}
		switch event.name {
		case "progress", "result":
			err = json.Unmarshal(event.data, j)
		case "error":
			fault := &Error{Raw: event.data}
			if err = json.Unmarshal(event.data, fault); err == nil {
				return heard, false, fault
			}
		default: // A later server may send others.
			continue
		}
		if err != nil {
			return heard, false, notPromptd("GET "+path, err)
		}
		heard, over = true, event.name == "result"
		if !yield(j) || over {
			return heard, over, nil
		}
	}
}

// persist reads something that may take long until it is done: where a connection breaks, or the server says that it can't just now, it reads again after a wait.
// It gives up where nothing was heard for mostLooks times in a row, and at once where asking again would give the same.
func (c *Client) persist(ctx context.Context, read func() (heard, done bool, err error)) error {
	for look := 0; ; look++ {
		heard, done, err := read()
		switch {
		case ctx.Err() != nil && err != nil:
			return fmt.Errorf("follow the job: %w", ctx.Err())
		case done:
			return nil
		case heard:
			look = 0
		}
		wait, worth := again(broken(err), true, look)
		if !worth || look >= mostLooks || c.retries == 0 && err != nil {
			return err
		}
		if err := c.pause(ctx, wait); err != nil {
			return fmt.Errorf("follow the job: %w", err)
		}
	}
}

// broken makes what ended a connection, an error or none, one that is worth another try.
func broken(err error) error {
	var fault *Error
	var foreign *foreignError
	var lost *UnreachableError
	if errors.As(err, &fault) || errors.As(err, &foreign) || errors.As(err, &lost) {
		return err
	}
	return &UnreachableError{Err: err}
}
