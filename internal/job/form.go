package job

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/value"
)

// Path is where the API has a job.
func (j *Job) Path() string { return "/v1/jobs/" + string(j.ID) }

// Append writes the answer to a submission (product.md section 3).
func (r *Receipt) Append(dst []byte) []byte {
	dst = value.AppendQuoted(append(dst, `{"job_id":`...), string(r.Job.ID))
	dst = value.AppendQuoted(append(dst, `,"status":`...), string(r.Job.State))
	dst = appendTime(dst, "created_at", r.Job.CreatedAt)
	if r.Secret != "" {
		dst = value.AppendQuoted(append(dst, `,"webhook":{"url":`...), r.Job.Webhook.URL)
		dst = append(value.AppendQuoted(append(dst, `,"secret":`...), r.Secret), '}')
	}
	return append(r.Job.appendLinks(dst), '}')
}

// Append writes a job as GET /v1/jobs/{id} shows it, and as webhooks carry it. The item is the one of a job that is no batch; nil leaves its result out, as a list
// does. It is written by hand, since results are JSON already.
func (j *Job) Append(dst []byte, only *Item) []byte {
	dst = value.AppendQuoted(append(dst, `{"job_id":`...), string(j.ID))
	dst = value.AppendQuoted(append(dst, `,"status":`...), string(j.State))
	dst = j.appendProgress(dst)
	if only != nil {
		dst = only.appendOutcome(dst)
		dst = strconv.AppendInt(append(dst, `,"attempt":`...), int64(only.Attempt), 10)
		dst = only.appendTries(dst)
	}
	dst = strconv.AppendBool(append(dst, `,"batch":`...), j.Batch)
	dst = strconv.AppendInt(append(dst, `,"run":`...), int64(j.Run), 10)
	dst = value.AppendQuoted(append(dst, `,"priority":`...), j.Priority.String())
	dst = value.AppendQuoted(append(dst, `,"urgency":`...), j.Urgency.String())
	dst = append(dst, `,"metadata":`...)
	if len(j.Metadata) > 0 {
		dst = append(dst, j.Metadata...)
	} else {
		dst = append(dst, `{}`...)
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{
		{"created_at", j.CreatedAt},
		{"run_at", j.RunAt},
		{"deadline", j.Deadline},
		{"started_at", j.StartedAt},
		{"completed_at", j.CompletedAt},
		{"expires_at", j.ExpiresAt},
	} {
		dst = appendTime(dst, t.name, t.at)
	}
	return append(j.appendLinks(dst), '}')
}

func (j *Job) appendProgress(dst []byte) []byte {
	p := &j.Progress
	dst = strconv.AppendInt(append(dst, `,"progress":{"total":`...), int64(p.Total), 10)
	dst = strconv.AppendInt(append(dst, `,"completed":`...), int64(p.Completed), 10)
	dst = strconv.AppendInt(append(dst, `,"failed":`...), int64(p.Failed), 10)
	dst = strconv.AppendInt(append(dst, `,"cancelled":`...), int64(p.Cancelled), 10)
	return append(dst, '}')
}

func (j *Job) appendLinks(dst []byte) []byte {
	dst = value.AppendQuoted(append(dst, `,"links":{"self":`...), j.Path())
	dst = value.AppendQuoted(append(dst, `,"events":`...), j.Path()+"/events")
	dst = value.AppendQuoted(append(dst, `,"results":`...), j.Path()+"/results")
	return append(dst, '}')
}

// appendTime writes a time in milliseconds; null where there is none.
func appendTime(dst []byte, name string, t time.Time) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	if t.IsZero() {
		return append(dst, `null`...)
	}
	dst = t.UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}

// AppendLine writes an item as a line of results, without the end of the line: as an item of /v1/analyze/batch.
func (i *Item) AppendLine(dst []byte) []byte {
	dst = value.AppendQuoted(append(dst, `{"id":`...), i.Name)
	dst = value.AppendQuoted(append(dst, `,"status":`...), i.Status())
	dst = i.appendOutcome(dst)
	if i.State == ItemFailed {
		dst = i.appendTries(dst)
	}
	return append(dst, '}')
}

// Status is what callers are told of an item: passed, needs_input, failed or cancelled; pending and processing before its end.
func (i *Item) Status() string {
	switch i.State {
	case ItemCompleted:
		if needsInput(i.Result) {
			return pipeline.NeedsInput
		}
		return pipeline.Passed
	case ItemLeased, ItemWaiting:
		return string(Processing)
	default:
		return string(i.State)
	}
}

// needsInput says whether an answer asks back. Nearly none does, and those that do are read: the same letters may stand in somebody's data.
func needsInput(answer []byte) bool {
	if !bytes.Contains(answer, []byte(`"validation_status":"`+pipeline.NeedsInput+`"`)) {
		return false
	}
	v, err := value.Decode(answer, value.Limits{})
	if err != nil {
		return false
	}
	status, _ := v.Get("validation_status")
	return status.Text() == pipeline.NeedsInput
}

// appendOutcome writes the answer or the problem document, as they are kept.
func (i *Item) appendOutcome(dst []byte) []byte {
	switch {
	case len(i.Result) == 0:
		return dst
	case i.State == ItemCompleted:
		dst = append(dst, `,"result":`...)
	default:
		dst = append(dst, `,"error":`...)
	}
	return append(dst, i.Result...)
}

// appendTries writes the item's history where it has one.
func (i *Item) appendTries(dst []byte) []byte {
	if len(i.Tries) == 0 {
		return dst
	}
	raw, err := json.Marshal(i.Tries)
	if err != nil {
		return dst // It is texts and times: there is no such error.
	}
	return append(append(dst, `,"tries":`...), raw...)
}
