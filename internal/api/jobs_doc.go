package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/usage"
)

// JobRequest is the body of POST /v1/jobs: a request of /v1/analyze or of /v1/analyze/batch, with what is the job's own.
type JobRequest struct {
	Prompt     string           `json:"prompt,omitempty" minLength:"1" doc:"The text of a job with one prompt, as in /v1/analyze."`
	Messages   []Message        `json:"messages,omitempty" minItems:"1" maxItems:"100" doc:"Turns of a conversation that stand for prompt."`
	Template   templateRefShape `json:"template,omitempty" doc:"As in /v1/analyze. The version that a name stands for now is kept with the job."`
	Parameters objectShaped     `json:"parameters,omitempty" doc:"The template's parameters."`
	Items      []BatchPrompt    `json:"items,omitempty" minItems:"1" maxItems:"50000" doc:"The prompts of a batch, as in /v1/analyze/batch; many go better as lines (application/x-ndjson)."`
	Schema     wantedShape      `json:"schema,omitempty" doc:"As in /v1/analyze. The version that a name stands for now is kept with the job."`
	Format     string           `json:"format,omitempty" enum:"json,xml,yaml,toon" default:"json" doc:"As in /v1/analyze."`
	Options    Options          `json:"options,omitempty" doc:"As in /v1/analyze; timeout_ms is ten minutes for a prompt where it is not given."`
	Webhook    *JobWebhook      `json:"webhook,omitempty" doc:"Who is told of the end; without it every webhook of the team that subscribes to the event."`
	Priority   string           `json:"priority,omitempty" enum:"low,normal,high" default:"normal" doc:"A higher class goes first; within a class teams take turns."`
	Urgency    string           `json:"urgency,omitempty" enum:"normal,low" default:"normal" doc:"low lets the job go through a provider's batch API at a lower price, within a day."`
	RunAt      time.Time        `json:"run_at,omitempty" nullable:"true" doc:"When it may begin, at most 30 days ahead."`
	Deadline   time.Time        `json:"deadline,omitempty" nullable:"true" doc:"A job that nothing of has begun by then is expired; 24 hours after run_at where it is not given."`
	Metadata   objectShaped     `json:"metadata,omitempty" doc:"Your own object, of at most 16 KiB; it comes back with the job and its webhooks."`
}

// JobWebhook says who is told of a job's end.
type JobWebhook struct {
	ID     string `json:"id,omitempty" doc:"A registered webhook of the team."`
	URL    string `json:"url,omitempty" maxLength:"2048" format:"uri" doc:"Or a URL for this job alone."`
	Secret string `json:"secret,omitempty" doc:"What messages to the URL are signed with; without one promptd makes one and shows it in the answer."`
}

// JobAccepted is the answer to POST /v1/jobs.
type JobAccepted struct {
	JobID     string             `json:"job_id"`
	Status    string             `json:"status" enum:"pending,processing,completed,completed_with_errors,failed,cancelled,expired" doc:"pending; under a repeated Idempotency-Key the first job's, as it is."`
	CreatedAt time.Time          `json:"created_at"`
	Webhook   *JobAcceptedSecret `json:"webhook,omitempty" doc:"Where the secret of an inline URL was made here."`
	Links     JobLinks           `json:"links"`
}

// JobAcceptedSecret shows the secret of an inline URL.
type JobAcceptedSecret struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// JobLinks are the places of a job.
type JobLinks struct {
	Self    string `json:"self"`
	Events  string `json:"events"`
	Results string `json:"results"`
}

// JobProgress counts the prompts of a job.
type JobProgress struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// JobTry is one time that a worker had a prompt and did not end it.
type JobTry struct {
	Worker    string    `json:"worker"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Code      string    `json:"code" doc:"A code of a problem document, or LEASE_LOST where the worker was not heard of again."`
	Detail    string    `json:"detail,omitempty"`
}

// Job is a job as GET /v1/jobs/{id} shows it and webhooks carry it.
type Job struct {
	JobID       string       `json:"job_id"`
	Status      string       `json:"status" enum:"pending,processing,completed,completed_with_errors,failed,cancelled,expired"`
	Progress    JobProgress  `json:"progress"`
	Result      *Answer      `json:"result,omitempty" doc:"Of a job with one prompt that completed: the answer, as /v1/analyze gives it."`
	Error       *Problem     `json:"error,omitempty" doc:"Of a job with one prompt that failed."`
	Attempt     int          `json:"attempt,omitempty" doc:"Of a job with one prompt: how often a worker has taken it."`
	Tries       []JobTry     `json:"tries,omitempty" doc:"Of a job with one prompt: the times that did not end it."`
	Batch       bool         `json:"batch"`
	Run         int          `json:"run" doc:"Counts from 1; POST /v1/jobs/{id}/retry begins the next."`
	Priority    string       `json:"priority" enum:"low,normal,high"`
	Urgency     string       `json:"urgency" enum:"normal,low"`
	Metadata    objectShaped `json:"metadata"`
	CreatedAt   time.Time    `json:"created_at"`
	RunAt       time.Time    `json:"run_at"`
	Deadline    time.Time    `json:"deadline"`
	StartedAt   *time.Time   `json:"started_at" nullable:"true"`
	CompletedAt *time.Time   `json:"completed_at" nullable:"true"`
	ExpiresAt   *time.Time   `json:"expires_at" nullable:"true" doc:"When the results are deleted."`
	Links       JobLinks     `json:"links"`
}

// Jobs is a page of jobs.
type Jobs struct {
	Data       []Job  `json:"data"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// JobResult is a line of GET /v1/jobs/{id}/results.
type JobResult struct {
	ID     string   `json:"id"`
	Status string   `json:"status" enum:"passed,failed,needs_input,cancelled"`
	Result *Answer  `json:"result,omitempty"`
	Error  *Problem `json:"error,omitempty"`
	Tries  []JobTry `json:"tries,omitempty" doc:"Of a prompt that failed: the times before."`
	After  int      `json:"after" doc:"The place behind this line: what the parameter after goes on with in the same order."`
}

const (
	exampleJobID    = "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4"
	exampleJobLinks = `"links": {"self": "/v1/jobs/` + exampleJobID + `", "events": "/v1/jobs/` + exampleJobID + `/events", "results": "/v1/jobs/` + exampleJobID + `/results"}`
	exampleJob      = `{"job_id": "` + exampleJobID + `", "status": "processing", "progress": {"total": 2, "completed": 1, "failed": 0, "cancelled": 0}, "batch": true, "run": 1, "priority": "normal",
	"urgency": "normal", "metadata": {"order": 7}, "created_at": "2026-11-24T08:00:00.000Z", "run_at": "2026-11-24T08:00:00.000Z", "deadline": "2026-11-25T08:00:00.000Z",
	"started_at": "2026-11-24T08:00:00.120Z", "completed_at": null, "expires_at": null, ` + exampleJobLinks + `}`
	exampleDone = `{"job_id": "` + exampleJobID + `", "status": "completed", "progress": {"total": 1, "completed": 1, "failed": 0, "cancelled": 0}, "result": ` + exampleAnswer + `, "attempt": 1,
	"batch": false, "run": 1, "priority": "normal", "urgency": "normal", "metadata": {}, "created_at": "2026-11-24T08:00:00.000Z", "run_at": "2026-11-24T08:00:00.000Z",
	"deadline": "2026-11-25T08:00:00.000Z", "started_at": "2026-11-24T08:00:00.120Z", "completed_at": "2026-11-24T08:00:01.080Z", "expires_at": "2026-11-25T08:00:01.080Z", ` + exampleJobLinks + `}`
)

func jobPath() map[string]*huma.Param {
	return map[string]*huma.Param{"id": idParameter("The job_id.", `^[^/\u0000-\u001f\u007f\ufffd]{1,200}$`, exampleJobID)}
}

func docSubmitJob() operation {
	headers := []string{"Location", "RateLimit", "RateLimit-Policy", "X-Request-ID", "Idempotent-Replayed"}
	return operation{
		id: "submitJob", tag: "jobs", summary: "Submit a job",
		text: "A prompt, or a batch of up to 50,000, that is answered later. What got a 202 is on disk: it is finished whatever dies on the way. A batch can be sent as `application/x-ndjson`, up to limits.upload_bytes: " +
			"the job without its prompts in the first line, a prompt in each line behind it. One prompt that is wrong refuses the whole. A job of n prompts counts n against the limits of the key.",
		headers: []*huma.Param{{Ref: "#/components/parameters/RequestID"}},
		body: &input{of: reflect.TypeFor[JobRequest](), lines: true, examples: map[string]*huma.Example{
			"one prompt": {Value: example(`{"prompt": "Two coffees, please.", "schema": {"type": "object", "properties": {"item": {"type": "string"}, "count": {"type": "integer"}}, "required": ["item", "count"]},
				"webhook": {"url": "https://shop.example.com/hooks/promptd"}, "metadata": {"order": 7}}`)},
			"a batch at night": {Value: example(`{"items": [{"id": "a", "prompt": "Two coffees, please."}, {"id": "b", "prompt": "One tea, no milk."}], "schema": "order@2", "priority": "low", "urgency": "low",
				"run_at": "2026-11-25T02:00:00Z"}`)},
		}},
		answers: []reply{jsonReply(http.StatusAccepted, reflect.TypeFor[JobAccepted](), "The job is accepted.", example(`{"job_id": "`+exampleJobID+`", "status": "pending", "created_at": "2026-11-24T08:00:00.000Z", `+exampleJobLinks+`}`)).with(headers...)},
		codes:   []fault.Code{fault.InvalidSchema, fault.NotFound, fault.Gone, fault.RateLimitExceeded, fault.BudgetExceeded, fault.Timeout},
	}
}

func docListJobs() operation {
	states := make([]any, 0, len(job.States()))
	for _, s := range job.States() {
		states = append(states, string(s))
	}
	return operation{
		id: "listJobs", tag: "jobs", summary: "List jobs", text: "Those of the caller's team, the newest first, without results.",
		query: []*huma.Param{
			limitParameter(usage.DefaultPage, usage.MaxPage), cursorParameter(usage.CursorPattern), timeParameter("from", "Jobs submitted from then on."), timeParameter("to", "Jobs submitted before then."),
			enumParameter("status", "Jobs in that state.", states...),
		},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Jobs](), "A page of jobs.", example(`{"data": [`+exampleJob+`]}`))},
	}
}

func docReadJob() operation {
	return operation{
		id: "readJob", tag: "jobs", summary: "Read a job", text: "With the result of a job with one prompt. Results are kept for 24 hours behind the end; then this is a 410 for seven days.",
		path: jobPath(), codes: []fault.Code{fault.NotFound, fault.Gone}, answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Job](), "The job.", example(exampleDone))},
	}
}

func docCancelJob() operation {
	return operation{
		id: "cancelJob", tag: "jobs", summary: "Cancel a job", text: "At once: calls under way are stopped, what has ended stays. Once more is no fault; a job that is over otherwise is a 409.",
		path: jobPath(), codes: []fault.Code{fault.NotFound, fault.Conflict}, answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Job](), "The job is cancelled.", example(exampleJob))},
	}
}

func docRetryJob() operation {
	return operation{
		id: "retryJob", tag: "jobs", summary: "Do what failed again", text: "The prompts of a job that is over that failed or were cancelled are pending again, as its next run.",
		path: jobPath(), body: &input{of: reflect.TypeFor[NoFields](), optional: true, text: "May be left out."}, codes: notFound(),
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Job](), "The job is pending again.", example(exampleJob))},
	}
}

func docJobResults() operation {
	return operation{
		id: "readJobResults", tag: "jobs", summary: "Read results",
		text: "A line of JSON for each prompt that has ended, as an item of /v1/analyze/batch. With `follow` those still to come too, until the job is over.",
		query: []*huma.Param{
			enumParameter("order", "number is the order of the prompts (the default), completed that of their ends.", "number", "completed"),
			flagParameter("follow", "Wait for the rest; in the order of their ends."),
			numberParameter("after", "The after of the last line that was read, to go on behind it; 0 is the beginning.", 0, mostAfter, 0),
		},
		path: jobPath(), codes: []fault.Code{fault.NotFound, fault.Gone, fault.RateLimitExceeded},
		answers: []reply{{status: http.StatusOK, text: "The results: the schema is that of each line. What can't be read to its end closes with a line that has no id and a problem document under error.", contents: map[string]content{mediaLines: {of: reflect.TypeFor[JobResult]()}}}},
	}
}

func docJobEvents() operation {
	events := content{
		schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"id", "event", "data"},
			Description: "Each event of the stream; a heartbeat comment comes every 15 seconds. `progress` holds the job whenever it has changed, `result` the job that is over; `error` is a problem document. One of the last two ends the stream.",
			Properties: map[string]*huma.Schema{
				"id":    {Type: huma.TypeString, Pattern: `^[0-9]+$`, Description: "Counts from 1 in each stream; a stream begins with the job as it is."},
				"event": {Type: huma.TypeString, Enum: []any{"progress", "result", "error"}},
				"data":  {Type: huma.TypeString, Description: "JSON, by the kind of event.", Extensions: map[string]any{"contentMediaType": mediaJSON}},
			},
		},
		events: map[string]reflect.Type{"progress": reflect.TypeFor[Job](), "result": reflect.TypeFor[Job](), "error": reflect.TypeFor[Problem]()},
	}
	return operation{
		id: "followJob", tag: "jobs", summary: "Follow a job", text: "Server-sent events until the job is over.", path: jobPath(), codes: []fault.Code{fault.NotFound, fault.Gone, fault.RateLimitExceeded},
		answers: []reply{{status: http.StatusOK, text: "The events.", contents: map[string]content{mediaEvents: events}}},
	}
}
