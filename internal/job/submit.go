package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// The bounds of a submission.
const (
	// mostSubmitted bounds the rows that go into one transaction; a job of more items is kept in portions of so many.
	mostSubmitted = 256
	// gatherSubmitted is how long a submission waits for others under load: callers wait for it, so it is well below a commit's time.
	gatherSubmitted = time.Millisecond
	// mostPortion bounds the texts of a portion in memory, in bytes.
	mostPortion = 4 << 20
	// mostAnnounced bounds the messages of one job: workers that find work go on looking, so that more would tell them nothing new.
	mostAnnounced = 1000
	// submitTries is how often a call of the store is made; the same job is the same row, so that once more is right where a call may have taken effect.
	submitTries = 3
	submitPause = 50 * time.Millisecond
)

// Examiner finds what is wrong with a prompt before it is accepted, and the versions that it names; the pipeline is one.
type Examiner interface {
	Examine(ctx context.Context, who *key.Caller, q prompt.Prompt) (pipeline.Pinned, error)
}

// Targets checks who is to be told of a job's end: whether the endpoint is the team's, and whether the URL may be sent to.
type Targets interface {
	// Aim gives the target as it is kept, with the secret that was made where the caller gave a URL alone. The error is a fault at /webhook.
	Aim(ctx context.Context, team key.TeamID, w Webhook) (aimed Webhook, made string, err error)
}

// Order is what a caller hands in.
type Order struct {
	Who *key.Caller
	// Idempotency is the caller's key, empty where there is none, and Hash the SHA-256 of path and body.
	Idempotency string
	Hash        [32]byte
}

// Receipt says what was accepted.
type Receipt struct {
	Job Job
	// Again says that the idempotency key had been used, and that Job is the first one.
	Again bool
	// Secret is what messages to the job's own URL are signed with, where it was made here: it is shown to the caller. A repeated submission gets the first one's.
	Secret string
}

// receipt makes the receipt of a submission; made says that its secret was made here.
func receipt(done Submitted, made bool) Receipt {
	r := Receipt{Job: done.Job, Again: done.Again}
	if made {
		r.Secret = done.Job.Webhook.Secret
	}
	return r
}

// Submit accepts a job, or says what is wrong with it. What it has accepted is on disk. The caller's limit of requests was asked before, with [Draft.Prompts].
func (s *Service) Submit(ctx context.Context, o Order, d *Draft) (Receipt, error) {
	sub, made, err := s.submission(ctx, o, d)
	if err == nil {
		err = s.examine(ctx, o.Who, d, &sub)
	}
	if err != nil {
		return Receipt{}, err
	}
	done, err := s.keep(ctx, sub)
	return receipt(done, made), err
}

// submission is a draft as it is kept, without its items; made says that its secret was made here.
func (s *Service) submission(ctx context.Context, o Order, d *Draft) (_ Submission, made bool, err error) {
	j := d.Job
	j.ID, j.Team, j.Key, j.Trace = ID(s.cfg.NewID()), o.Who.Team, o.Who.Key, s.cfg.Trace(ctx)
	switch {
	case j.Webhook == (Webhook{}):
	case s.cfg.Targets == nil:
		err = fault.Invalid("/webhook", "unsupported", "this promptd sends no webhooks", "Leave webhook out, and follow the job's events or read the job.")
	default:
		var secret string
		j.Webhook, secret, err = s.cfg.Targets.Aim(ctx, o.Who.Team, j.Webhook)
		made = secret != ""
	}
	return Submission{Job: j, Idempotency: o.Idempotency, Hash: o.Hash}, made, err
}

// examine finds what is wrong with the prompts of a draft, and makes the rows of them.
func (s *Service) examine(ctx context.Context, who *key.Caller, d *Draft, sub *Submission) error {
	if !d.Job.Batch {
		only := &d.items[0]
		pinned, err := s.cfg.Pipeline.Examine(ctx, who, only.read.Prompt)
		if err != nil {
			return err
		}
		if pins(&only.read.Prompt, pinned) { // Otherwise it is as it was read.
			sub.Job.Request = pin(only.sent, &only.read.Prompt, pinned).Append(make([]byte, 0, usualRequest))
		}
		sub.Items = []Item{{Job: sub.Job.ID, Name: "0", State: ItemPending}}
		return nil
	}
	all := newItemReader(value.Null(), prompt.Defaults{})
	sub.Items = make([]Item, 0, len(d.items))
	for i := range d.items {
		all.count = i + 1
		item, err := s.item(ctx, who, sub.Job.ID, i, &d.items[i])
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			all.note(err, "")
		}
		if all.full() {
			return all.err(len(d.items) - i - 1)
		}
		sub.Items = append(sub.Items, item)
	}
	return all.err(0)
}

// item examines a prompt of a batch and makes the row of it.
func (s *Service) item(ctx context.Context, who *key.Caller, id ID, n int, d *draftItem) (Item, error) {
	pinned, err := s.cfg.Pipeline.Examine(ctx, who, d.read.Prompt)
	if err != nil {
		return Item{}, d.read.Placed(err)
	}
	return Item{Job: id, N: n, Name: d.read.ID, State: ItemPending, Request: pin(d.sent, &d.read.Prompt, pinned).Append(nil)}, nil
}

// pin puts the versions that a request's references name now in their place: what is published meanwhile changes nothing of what was accepted. A reference that an
// item shares with others is pinned in the item, and so is that to the schema which is bound to its template.
func pin(sent value.Value, q *prompt.Prompt, p pipeline.Pinned) value.Value {
	if pinsTemplate(q, p) {
		sent = sent.With("template", value.String(p.Template))
	}
	if pinsSchema(q, p) {
		sent = sent.With("schema", value.String(p.Schema))
	}
	return sent
}

// pins says whether pin changes anything.
func pins(q *prompt.Prompt, p pipeline.Pinned) bool { return pinsTemplate(q, p) || pinsSchema(q, p) }

func pinsTemplate(q *prompt.Prompt, p pipeline.Pinned) bool {
	return q.Template != nil && q.Template.Ref != p.Template
}

func pinsSchema(q *prompt.Prompt, p pipeline.Pinned) bool {
	return p.Schema != "" && q.SchemaRef != p.Schema
}

// keep has a submission kept, together with others that come at the same time. One of many items is kept in portions, so that it does not hold others up.
func (s *Service) keep(ctx context.Context, sub Submission) (Submitted, error) {
	if len(sub.Items) <= mostSubmitted {
		done, err := retried(ctx, func(try int) (Submitted, error) {
			if try == 0 {
				return s.combined.Do(ctx, sub)
			}
			list, err := s.submitAll(ctx, []Submission{sub}) // What is wrong may be with another's in the same transaction.
			if err != nil {
				return Submitted{}, err
			}
			return list[0], nil
		})
		return s.accepted(sub, len(sub.Items), done, err)
	}
	items := sub.Items
	sub.Items = nil
	u := &upload{s: s, sub: sub}
	for len(items) > 0 {
		n := min(len(items), mostSubmitted)
		if err := u.flush(ctx, items[:n]); err != nil {
			return Submitted{}, err
		}
		items = items[n:]
	}
	return u.seal(ctx, sub.Hash)
}

// submitAll keeps submissions in one transaction.
func (s *Service) submitAll(ctx context.Context, list []Submission) ([]Submitted, error) {
	done, err := s.cfg.Store.Submit(ctx, list)
	if err == nil && len(done) != len(list) {
		return nil, fmt.Errorf("job: %d submissions gave %d results", len(list), len(done))
	}
	return done, err
}

// retried makes a call of the store again that failed: one that took effect unseen takes none again.
func retried[T any](ctx context.Context, call func(try int) (T, error)) (out T, err error) {
	for try := range submitTries {
		if out, err = call(try); err == nil || ctx.Err() != nil || permanent(err) {
			return out, err
		}
		if try < submitTries-1 && !sleep(ctx, submitPause<<try) {
			return out, context.Cause(ctx)
		}
	}
	return out, err
}

func permanent(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrIncomplete) || errors.Is(err, ErrConflict) || errors.Is(err, ErrFinal) || errors.Is(err, ErrNotFinal)
}

// accepted tells of a job that was kept, and makes the caller's error of one that was not.
func (s *Service) accepted(sub Submission, items int, done Submitted, err error) (Submitted, error) {
	switch err = cmp.Or(err, done.Err); {
	case errors.Is(err, ErrConflict):
		f := fault.New(fault.Conflict, "the idempotency key was used within the last day for another body")
		f.Remediation = "Use another Idempotency-Key for another body."
		return Submitted{}, f
	case err != nil:
		return Submitted{}, unkept(err)
	case done.Again:
		return done, nil
	}
	s.cfg.Meter.Submitted(sub.Job.Priority, items)
	if sub.Job.RunAt.IsZero() {
		s.announce(sub.Job.ID, sub.Job.Priority, items)
	}
	return done, nil
}

// unkept is the fault of a job that the store did not acknowledge. It may be kept all the same, which is said: the key makes the next try the same job.
func unkept(err error) error {
	f := *fault.Of(err) // The store's own may be another caller's too.
	switch f.Code {
	case fault.Internal:
		f = *fault.New(fault.Overloaded, "the job was not acknowledged by the store").Because(err)
	case fault.Overloaded:
		f.Detail = "the job was not acknowledged: " + f.Detail
	default:
		return &f
	}
	f.RetryAfter = cmp.Or(f.RetryAfter, time.Second)
	f.Remediation = "Send it again with the same Idempotency-Key: it is accepted once."
	return &f
}

// announce tells workers of work.
func (s *Service) announce(id ID, p Priority, items int) {
	if s.cfg.Announce == nil {
		return
	}
	messages := make([]broker.Message, min(items, mostAnnounced))
	for i := range messages {
		messages[i] = broker.Message{Queue: p.Queue(), ID: string(id) + "/" + strconv.Itoa(i)}
	}
	s.cfg.Announce.Announce(messages...)
}
