package job

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// The bounds of what is a job's own in a request.
const (
	// MostMetadata bounds the caller's object, in bytes of JSON.
	MostMetadata = 16 << 10
	// MostAhead is how far ahead of now run_at, and of run_at the deadline, may lie.
	MostAhead = 30 * 24 * time.Hour
	// usualRequest is room for what most requests are, in bytes of JSON.
	usualRequest = 1 << 10
	// mostFaults bounds the faults that one answer names: those of twenty items are enough to see what is wrong.
	mostFaults = 20
)

// own are the fields that a job has beside those of what it does.
func own() []string {
	return []string{"webhook", "priority", "urgency", "run_at", "deadline", "metadata"}
}

// Draft is a job as it was read, before anything was looked up.
type Draft struct {
	// Job has what the caller says of it, and its request.
	Job Job

	items []draftItem
}

// draftItem is a prompt of a draft: as it was sent, and as it was read.
type draftItem struct {
	sent value.Value
	read prompt.Item
}

// Prompts counts what the draft asks for: what is counted against the caller's limits.
func (d *Draft) Prompts() int { return max(1, len(d.items)) }

// ReadSubmission makes a draft of the JSON body of POST /v1/jobs: a request of /v1/analyze, or items as in /v1/analyze/batch, and what is the job's own. The error
// names what is wrong, in one item too: nothing is accepted of a job with a fault.
func ReadSubmission(v value.Value, d prompt.Defaults, now time.Time) (*Draft, error) {
	if v.Kind() != value.KindObject {
		return nil, body.Open(v).Done()
	}
	draft, rest, err := readOwn(v, now)
	if err != nil {
		return nil, err
	}
	d = laterDefaults(d)
	if _, batch := v.Get("items"); batch {
		if _, single := v.Get("prompt"); single {
			return nil, fault.Invalid("/prompt", "exclusive", "the body holds prompt and items; a job takes one of them", "Send prompt or items, not both.")
		}
		return draft, draft.readBatch(rest, d)
	}
	draft.Job.Request = rest.Append(make([]byte, 0, usualRequest))
	item := draftItem{sent: rest}
	if item.read.Prompt, err = prompt.Read(rest, d); err != nil {
		return nil, err
	}
	draft.items = []draftItem{item}
	return draft, nil
}

// readOwn reads what is the job's own, and gives what is left.
func readOwn(v value.Value, now time.Time) (*Draft, value.Value, error) {
	fields, rest := value.Object(), v
	for _, name := range own() {
		if field, given := v.Get(name); given {
			fields, rest = fields.With(name, field), rest.Without(name)
		}
	}
	r := body.Open(fields)
	draft := &Draft{Job: Job{State: Pending, Run: 1}}
	j := &draft.Job
	j.Priority = priority(r.Enum("priority", "normal", "low", "normal", "high"))
	if r.Enum("urgency", "normal", "normal", "low") == "low" {
		j.Urgency = Whenever
	}
	readTimes(r, j, now)
	readWebhook(r, j)
	readMetadata(r, j)
	for _, name := range []string{"stream", "state", "answers"} {
		if _, given := v.Get(name); given {
			r.Fault(name, "unsupported", name+" is not for jobs: nobody waits for the answer", remedyOf(name))
		}
	}
	return draft, rest, r.Done()
}

func remedyOf(name string) string {
	if name == "stream" {
		return "Leave it out, and follow the job's events; or send the prompt to /v1/analyze."
	}
	return "Send it to /v1/analyze: what an answer of a job has asked is gone on with there."
}

func readTimes(r *body.Reader, j *Job, now time.Time) {
	j.RunAt = readTime(r, "run_at")
	begins := now
	if j.RunAt.After(now) {
		begins = j.RunAt
	} else {
		j.RunAt = time.Time{} // It is due already.
	}
	if begins.After(now.Add(MostAhead)) {
		r.Fault("run_at", "range", "run_at lies more than 30 days ahead", "Submit the job later, or let it run earlier.")
	}
	j.Deadline = readTime(r, "deadline")
	switch {
	case j.Deadline.IsZero():
	case !j.Deadline.After(begins):
		r.Fault("deadline", "range", "the deadline is over before the job may begin", "Name a later deadline, or leave it out: it is 24 hours after run_at.")
	case j.Deadline.After(begins.Add(MostAhead)):
		r.Fault("deadline", "range", "the deadline lies more than 30 days after the job may begin", "Name an earlier deadline.")
	}
}

// readTime reads an optional time; null is the same as absent.
func readTime(r *body.Reader, field string) time.Time {
	text := r.Nullable(field)
	if v, given := r.Value(field); !given || v.Kind() != value.KindString {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.Fault(field, "format", field+" is not a time", "Send an RFC 3339 time with its zone, such as 2026-12-01T08:00:00Z.")
		return time.Time{}
	}
	return t.UTC()
}

func readWebhook(r *body.Reader, j *Job) {
	v, given := r.Value("webhook")
	if !given || v.IsNull() {
		return
	}
	w := r.Object("webhook")
	j.Webhook = Webhook{Endpoint: w.String("id", ""), URL: w.String("url", ""), Secret: w.String("secret", "")}
	if v.Kind() != value.KindObject {
		return // Said already.
	}
	switch byID, byURL := j.Webhook.Endpoint != "", j.Webhook.URL != ""; {
	case byID && byURL:
		w.Fault("url", "exclusive", "id and url exclude each other", "Name a registered webhook by its id, or give a URL.")
	case !byID && !byURL:
		w.Fault("url", "required", "the webhook has neither an id nor a url", `Send {"id": "…"} of a registered webhook, or {"url": "https://…"}.`)
	case byID && j.Webhook.Secret != "":
		w.Fault("secret", "exclusive", "a registered webhook has its own secret", "Leave secret out.")
	}
}

func readMetadata(r *body.Reader, j *Job) {
	v, given := r.Value("metadata")
	if !given || v.IsNull() {
		return
	}
	if v.Kind() != value.KindObject {
		r.Fault("metadata", "type", "metadata must be an object", "Send the values by names of your choice.")
		return
	}
	if j.Metadata = v.Append(nil); len(j.Metadata) > MostMetadata {
		r.Fault("metadata", "length", fmt.Sprintf("metadata has %d bytes; a job keeps %d", len(j.Metadata), MostMetadata), "Keep a key of your own there, and the rest with you.")
	}
}

// readBatch reads items, and what they share.
func (d *Draft) readBatch(v value.Value, defaults prompt.Defaults) error {
	r := body.Open(v)
	list, _ := r.Value("items")
	for _, field := range prompt.Shared() {
		r.Value(field)
	}
	switch {
	case list.Kind() != value.KindArray:
		r.Fault("items", "type", "items must be an array of objects", "")
	case list.Len() == 0:
		r.Fault("items", "minItems", "items is empty", "Send at least one item.")
	case list.Len() > MostItems:
		r.Fault("items", "maxItems", fmt.Sprintf("items holds %d prompts; one job takes %d", list.Len(), MostItems), "Send them in several jobs.")
	}
	if err := r.Done(); err != nil {
		return err
	}
	if err := d.readShared(v.Without("items"), defaults); err != nil {
		return err
	}
	all := newItemReader(value.Null(), defaults)
	all.shared = v.Without("items")
	d.items = make([]draftItem, 0, list.Len())
	for i, sent := range list.Items() {
		if item, ok := all.read(sent, ""); ok && all.faults == nil {
			d.items = append(d.items, item)
		}
		if all.full() {
			return all.err(list.Len() - i - 1)
		}
	}
	return all.err(0)
}

// readShared reads what the items share.
func (d *Draft) readShared(v value.Value, defaults prompt.Defaults) error {
	if err := prompt.CheckShared(v, defaults); err != nil {
		return err
	}
	d.Job.Batch, d.Job.Request = true, v.Append(nil)
	return nil
}

// itemReader reads one item after the other, and gathers what is wrong with them.
type itemReader struct {
	shared   value.Value
	defaults prompt.Defaults
	names    map[string]int // where each was seen
	count    int
	faults   []fault.Entry
	// first is the fault that the answer is, since not every fault is an INVALID_REQUEST.
	first *fault.Fault
}

func newItemReader(shared value.Value, d prompt.Defaults) *itemReader {
	return &itemReader{shared: shared, defaults: d, names: map[string]int{}}
}

// read reads the next item. What is wrong with it is noted, with where it stands where that is said.
func (r *itemReader) read(sent value.Value, where string) (draftItem, bool) {
	n := r.count
	r.count++
	item := draftItem{sent, prompt.ReadItem(sent, r.shared, n, r.defaults)}
	err := item.read.Fault
	if err == nil {
		err = r.refused(sent, n, item.read.ID)
	}
	if err != nil {
		r.note(err, where)
		return item, false
	}
	return item, true
}

// refused says what no item of a job may have.
func (r *itemReader) refused(sent value.Value, n int, name string) error {
	at := value.AppendIndex("/items", n)
	for _, field := range []string{"state", "answers"} {
		if _, given := sent.Get(field); given {
			return fault.Invalid(at+"/"+field, "unsupported", field+" is not for jobs: nobody waits for the answer", remedyOf(field))
		}
	}
	if strings.ContainsRune(name, 0) { // PostgreSQL keeps no such text; no store is asked, so that all refuse it alike.
		return fault.Invalid(at+"/id", "format", "the id holds U+0000, which is not kept", "Leave out U+0000.")
	}
	if first, taken := r.names[name]; taken {
		return fault.Invalid(at+"/id", "unique", "this id is the same as that of item "+strconv.Itoa(first), "Give each item an id of its own; items without one are counted from 0.")
	}
	r.names[name] = n
	return nil
}

// note keeps a fault of an item.
func (r *itemReader) note(err error, where string) {
	f := fault.Of(err)
	entries := slices.Clone(f.Entries)
	if len(entries) == 0 {
		entries = []fault.Entry{{Pointer: value.AppendIndex("/items", max(0, r.count-1)), Rule: "item", Message: f.Detail, Hint: f.Remediation}}
	}
	if r.first == nil {
		r.first = f
	}
	for _, e := range entries {
		if where != "" {
			e.Message = where + ": " + e.Message
		}
		r.faults = append(r.faults, e)
	}
}

// full says that there are faults enough to see what is wrong.
func (r *itemReader) full() bool { return len(r.faults) >= mostFaults }

// err is all that is wrong as one fault, or nil; unread counts the items that were not looked at.
func (r *itemReader) err(unread int) error {
	if r.first == nil {
		return nil
	}
	f := *r.first
	f.Entries = r.faults[:min(len(r.faults), mostFaults)]
	f.Detail = f.Entries[0].Message
	if n := len(f.Entries) - 1; n > 0 {
		f.Detail += fmt.Sprintf(", and %d more", n)
	}
	if unread > 0 {
		f.Detail += fmt.Sprintf("; %d more items were not looked at", unread)
	}
	f.Detail += "; nothing was accepted"
	return &f
}
