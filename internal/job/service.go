package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
)

// Config is what a [Service] needs; Store, Pipeline, Defaults, Bell and NewID are wanted.
type Config struct {
	Store    Store
	Pipeline Examiner
	Defaults func() prompt.Defaults
	Bell     *Bell
	NewID    func() string
	// Targets checks webhooks; nil where none are sent.
	Targets Targets
	// Announce tells workers of work; nil where there is no broker.
	Announce Announcer
	// Trace gives the traceparent of the submitting request, which work on the job goes on with; nil where nobody traces.
	Trace func(ctx context.Context) string
	// Over is told of jobs that were cancelled; nil means that nobody is.
	Over func(Ended)
	// CallLimit bounds one call of the store; 0 means 10 seconds.
	CallLimit time.Duration
	Meter     Meter
}

// Service is what front doors do with jobs. It is safe for concurrent use. Its errors are faults where a caller can do something about them.
type Service struct {
	cfg      Config
	combined *Combiner[Submission, Submitted]
}

// NewService makes a service.
func NewService(cfg Config) *Service {
	if cfg.Over == nil {
		cfg.Over = func(Ended) {}
	}
	if cfg.Meter == nil {
		cfg.Meter = Unmetered{}
	}
	if cfg.Trace == nil {
		cfg.Trace = func(context.Context) string { return "" }
	}
	s := &Service{cfg: cfg}
	weigh := func(sub Submission) int { return 1 + len(sub.Items) }
	s.combined = NewCombiner(CombinerConfig[Submission]{Most: mostSubmitted, Weigh: weigh, Gather: gatherSubmitted, Timeout: cmp.Or(cfg.CallLimit, defaultCallLimit)}, s.submitAll)
	return s
}

// Job gives a job, with its item where it is no batch.
func (s *Service) Job(ctx context.Context, reach key.Reach, id ID) (Job, *Item, error) {
	j, err := s.cfg.Store.Job(ctx, reach, id)
	if err != nil || j.Batch {
		return j, nil, told(id, err)
	}
	list, err := s.cfg.Store.Items(ctx, reach, id, 0, 1)
	if err != nil || len(list) == 0 {
		return j, nil, told(id, err)
	}
	return j, &list[0], nil
}

// Compose gives a job as GET /v1/jobs/{id} shows it, for those who tell of an end that it had at a time. A job that is not kept any more is NOT_FOUND. One that was
// begun again since says something else: that is an error, and what is to be told of the end before was composed when the next run began.
func Compose(ctx context.Context, store Store, team key.TeamID, id ID, event string, at time.Time) ([]byte, error) {
	j, only, err := (&Service{cfg: Config{Store: store}}).Job(ctx, key.OfTeam(team), id)
	if err != nil {
		return nil, err
	}
	if j.State.Event() != event || !j.CompletedAt.Equal(at) {
		return nil, fmt.Errorf("the job %s is %s and has gone on since %s at %s", id, j.State, event, at.Format(time.RFC3339Nano))
	}
	return j.Append(nil, only), nil
}

// Jobs lists jobs, the newest first.
func (s *Service) Jobs(ctx context.Context, reach key.Reach, f Filter) ([]Job, Cursor, error) {
	return s.cfg.Store.Jobs(ctx, reach, f)
}

// Cancel ends a job at once: what is under way for it is stopped, what has ended stays. A job that is over is a CONFLICT.
func (s *Service) Cancel(ctx context.Context, reach key.Reach, id ID) (Job, error) {
	j, err := s.cfg.Store.Cancel(ctx, reach, id)
	if err != nil {
		return j, told(id, err)
	}
	s.cfg.Meter.Over(j.State)
	s.cfg.Over(Ended{Job: j.ID, State: j.State, Progress: j.Progress, Last: true})
	s.cfg.Bell.Ring(Note{Job: j.ID, Final: true, Stop: true})
	return j, nil
}

// Retry has the items of a job that is over done again that failed or were cancelled.
func (s *Service) Retry(ctx context.Context, reach key.Reach, id ID) (Job, error) {
	j, err := s.cfg.Store.Retry(ctx, reach, id)
	if errors.Is(err, ErrFinal) {
		f := fault.New(fault.Conflict, "nothing of the job %s can be done again: no item of it failed or was cancelled, or its results are gone", id)
		f.Remediation = "Read the job: what has passed stays as it is; submit what is wanted anew as another job."
		return j, f
	}
	if err != nil {
		return j, told(id, err)
	}
	s.announce(j.ID, j.Priority, j.Progress.Total-j.Progress.Completed)
	s.cfg.Bell.Ring(Note{Job: j.ID})
	return j, nil
}

// Watch gives a job as it is, and again whenever it has changed, until it is over: that is the last pair without an error. A pair with an error is the last too.
func (s *Service) Watch(ctx context.Context, reach key.Reach, id ID) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for j, err := range watch(ctx, s.cfg.Store, s.cfg.Bell, reach, id) {
			if !yield(j, told(id, err)) {
				return
			}
		}
	}
}

// resultsPage is how many items are read at once.
const resultsPage = 200

// Results gives the items of a job that have ended: by their numbers from one on, or in the order of their ends behind a place in it. Who calls it looks at the job
// first, for one whose results are gone gives items without any.
func (s *Service) Results(ctx context.Context, reach key.Reach, id ID, byEnd bool, after int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for at := after; ; {
			list, err := s.page(ctx, reach, id, byEnd, at)
			if err != nil {
				yield(Item{}, told(id, err))
				return
			}
			for _, item := range list {
				if at = item.N + 1; byEnd {
					at = item.Seq
				}
				if item.State.Ended() && !yield(item, nil) {
					return
				}
			}
			if len(list) < resultsPage {
				return
			}
		}
	}
}

func (s *Service) page(ctx context.Context, reach key.Reach, id ID, byEnd bool, at int) ([]Item, error) {
	if byEnd {
		return s.cfg.Store.EndedItems(ctx, reach, id, at, resultsPage)
	}
	return s.cfg.Store.Items(ctx, reach, id, at, resultsPage)
}

// told makes the caller's error of the store's.
func told(id ID, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		f := fault.New(fault.NotFound, "there is no job %s", clipped(id))
		f.Remediation = "GET /v1/jobs (promptd jobs list) lists the team's jobs; those that are over go when their time in expires_at has passed."
		return f
	case errors.Is(err, ErrFinal):
		f := fault.New(fault.Conflict, "the job %s is over already", id)
		f.Remediation = "Read the job to see how it ended."
		return f
	case errors.Is(err, ErrNotFinal):
		f := fault.New(fault.Conflict, "the job %s is not over yet", id)
		f.Remediation = "Wait for its end, or cancel it first."
		return f
	default:
		return err
	}
}

// clipped keeps what a caller made up out of messages at any length.
func clipped(id ID) ID {
	const most = 64
	return id[:min(len(id), most)]
}
