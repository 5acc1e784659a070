package pipeline

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
)

// question is what the router is asked about a request.
func (x *exchange) question(strategy string) *router.Question {
	return &router.Question{Prompt: &x.prompt, Caller: x.who, Schema: x.schema, SchemaName: schemaName(x.schema), Strategy: strategy}
}

// candidates are the providers and models that can answer a request, in no order: the order is made when somebody is to be asked, since it depends on the moment.
func candidates(pool *provider.Pool, q *router.Question) ([]provider.Candidate, error) {
	all, err := pool.Candidates(q.Prompt.Options.Provider, q.Prompt.Options.Model)
	if err != nil {
		return nil, err
	}
	return router.Fit(q, all)
}

// way is a request's way through its candidates: the router's order, and what became of each so far.
type way struct {
	order router.Order
	marks []mark // by the places of order.Choices
	at    int    // the place of the candidate under way; -1 before the first
	last  int    // that of the last one that a call was sent to; -1 where there was none
}

// mark is what a request has seen of one candidate.
type mark struct {
	failed int       // attempts without an answer
	unsent int       // calls that were not sent
	out    bool      // no further attempt at it can help
	again  time.Time // when it may be asked again at the soonest
}

func newWay(o router.Order) way {
	return way{order: o, marks: make([]mark, len(o.Choices)), at: -1, last: -1}
}

func (w *way) mark() *mark { return &w.marks[w.at] }

// fresh gives the first candidate in the order that this request has not asked, beside the one under way; one that fares worse by now comes later.
func (w *way) fresh() (int, bool) {
	best := -1
	for i := range w.marks {
		if m := &w.marks[i]; m.failed > 0 || m.unsent > 0 || m.out || i == w.at {
			continue
		}
		if best < 0 || w.at >= 0 && w.order.Worse(i, best, false) < 0 {
			best = i
		}
	}
	return best, best >= 0
}

// known gives of the candidates that were asked the one to be asked again: the least failed one, of such the one that fares best by now, of such the soonest.
func (w *way) known() (int, bool) {
	best := -1
	for i := range w.marks {
		if m := &w.marks[i]; m.out || m.failed == 0 && m.unsent == 0 {
			continue
		}
		if best < 0 || w.sooner(i, best) {
			best = i
		}
	}
	return best, best >= 0
}

func (w *way) sooner(i, j int) bool {
	a, b := &w.marks[i], &w.marks[j]
	return cmp.Or(cmp.Compare(a.failed, b.failed), w.order.Worse(i, j, true), a.again.Compare(b.again)) < 0
}

// another says whether somebody else could still be asked after the candidate under way.
func (w *way) another() bool {
	for i := range w.marks {
		if i != w.at && !w.marks[i].out {
			return true
		}
	}
	return false
}

// drop takes candidates out that can't do better than the one under way.
func (w *way) drop(worse func(provider.Candidate) bool) {
	for i := range w.marks {
		if i != w.at && worse(w.order.Choices[i].Candidate) {
			w.marks[i].out = true
		}
	}
}

// mostUnsent bounds how often a request comes back to a candidate whose calls are not sent.
const mostUnsent = 8

// errNobody says that no candidate is left.
var errNobody = errors.New("no candidate is left")

// begin makes the order and takes the first candidate.
func (s attempts) begin(r resolved) *series {
	t := &series{resolved: r, question: r.question(s.settings().Strategy), room: r.prompt.Options.MaxTokens}
	t.way = newWay(s.router.Order(t.question, r.candidates))
	for _, skipped := range t.way.order.Skipped {
		t.skipped = append(t.skipped, provider.Skipped{Candidate: skipped.Candidate.Name(), Why: skipped.Why})
	}
	if r.emit != nil {
		t.partial = newPartial(r)
	}
	return t
}

// choose goes on to the candidate of the next attempt, after a pause where it was asked before. The error is errNobody, or that of a pause that the deadline
// would cut.
func (s attempts) choose(ctx context.Context, t *series) error {
	switch {
	case len(t.way.marks) == 0:
		return errNobody
	case t.move == again:
		return nil
	}
	before := t.way.at
	next, ok := t.way.fresh()
	if !ok {
		if next, ok = t.way.known(); !ok {
			return errNobody
		}
		if err := s.pause(ctx, t, next); err != nil {
			return err
		}
	}
	t.way.at = next
	if next != before {
		t.messages, t.uncapped, t.here = nil, false, 0 // Another model knows nothing of this one's answers, nor of its form.
	}
	return nil
}

// reason is what attempts[] says of the attempt under way.
func (t *series) reason() string {
	switch {
	case t.why == "":
		return t.way.order.Explain(t.way.at)
	case t.move == again:
		return t.why
	case t.way.last == t.way.at:
		return "repeat after " + t.why
	default:
		return "fallback after " + t.why + "; " + t.way.order.Explain(t.way.at)
	}
}

// pause waits before a candidate is asked again. It repeats what failed, so it needs leave of the provider's retry budget; an outage is not to be amplified.
func (s attempts) pause(ctx context.Context, t *series, next int) error {
	m := &t.way.marks[next]
	if m.unsent > mostUnsent || m.failed > 0 && !t.way.order.Choices[next].Provider.AllowRetry() {
		return errNobody
	}
	t.pauses++
	pause := s.backoff().Pause(t.pauses, time.Until(m.again))
	begun := time.Now()
	err := provider.Sleep(ctx, pause)
	t.exchange.asked += time.Since(begun)
	return err
}

// part is how long an attempt may take: at most half of what is left while another candidate could still be asked, so that one call that hangs never eats the
// request; 0 is as long as the request has. A probe of a breaker that is half open gets less: as long as calls usually take is enough to see whether the model is
// back. Where all others have failed before, a model gets the time that it usually needs, even if that is more than half.
func (t *series) part(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || !t.way.another() || t.left() < 2 {
		return 0
	}
	live := &t.way.order.Choices[t.way.at].Live
	part := time.Until(deadline) / 2
	if _, fresh := t.way.fresh(); !fresh {
		part = max(part, 2*live.P95)
	}
	if live.Probing {
		part = min(part, t.way.order.ProbeFor(t.way.at))
	}
	return part
}

// limited gives a call its part of the time. In a stream the part begins anew with each piece: what is being written is not hanging.
func (t *series) limited(ctx context.Context) (_ context.Context, progress, done func()) {
	part := t.part(ctx)
	switch {
	case part == 0:
		return ctx, func() {}, func() {}
	case t.partial == nil: // A deadline is known before it comes, so that nobody waits in vain for a free slot.
		limited, cancel := context.WithTimeout(ctx, part)
		return limited, func() {}, cancel
	}
	limited, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(part, func() { cancel(context.DeadlineExceeded) })
	progress = func() {
		if next := t.part(ctx); next > 0 {
			timer.Reset(next)
		}
	}
	return limited, progress, func() { timer.Stop(); cancel(nil) }
}

// nobody is the fault of a request for which nobody could be asked at all.
func (t *series) nobody() error {
	f := fault.New(fault.ProviderError, "no provider can be asked now")
	f.Remediation = "Try again after the time in Retry-After; promptd doctor and GET /v1/providers show what is wrong with each provider."
	for _, skipped := range t.way.order.Skipped {
		f.Detail += "; " + skipped.Candidate.Name() + ": " + skipped.Why
		if wait := skipped.Wait; wait > 0 && (f.RetryAfter == 0 || wait < f.RetryAfter) {
			f.RetryAfter = wait
		}
	}
	return f
}
