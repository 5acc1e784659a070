package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/test/history"
)

// mostBatch is the largest batch but for the one that comes in portions, which has bigBatch.
const (
	mostBatch = 5
	bigBatch  = 260
)

// texts are the bodies of orders by their number of items, read once for all histories.
type texts struct {
	drafts map[int]*job.Draft
	lines  map[int]string
}

func readTexts(t testing.TB) *texts {
	t.Helper()
	out := &texts{map[int]*job.Draft{}, map[int]string{}}
	sizes := []int{bigBatch, 16}
	for n := range mostBatch {
		sizes = append(sizes, n+1)
	}
	for _, n := range sizes {
		items, lines := make([]string, n), `{"schema":{"type":"object"}}`
		for i := range items {
			items[i] = fmt.Sprintf(`{"prompt":"text %d"}`, i)
			lines += "\n" + items[i]
		}
		text := `{"schema":{"type":"object"},"items":[` + strings.Join(items, ",") + `]}`
		if n == 1 {
			text = `{"schema":{"type":"object"},"prompt":"text"}`
		}
		v, err := body.Decode([]byte(text))
		if err == nil {
			out.drafts[n], err = job.ReadSubmission(v, defaults(), time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		out.lines[n] = lines
	}
	return out
}

// caller follows one order to its end.
type caller struct {
	*order
	chance

	w *world
	n int
	// asked counts what was asked.
	asked uint64
}

var (
	errLost   = errors.New("the connection is lost")
	errNobody = errors.New("nobody answers")
)

// The times of callers.
const (
	askFor      = 20 * time.Second
	givesUp     = 3 * time.Minute
	callerPause = 2 * time.Second
)

// live sends the order, and goes after the job.
func (c *caller) live(kit *texts) {
	rest(c.at - time.Since(c.w.begun))
	id := c.submit(kit)
	if id == "" {
		return
	}
	if c.cancel > 0 {
		rest(c.cancel)
		c.end(id)
	}
	if j, ok := c.follow(id); ok && c.retry && j.Retriable() {
		c.again(id)
		c.follow(id)
	}
}

// asking asks the process that takes jobs, which may die meanwhile.
func asking[T any](c *caller, f func(ctx context.Context, s *job.Service) (T, error)) (out T, err error) {
	p := c.w.at(0)
	if p == nil {
		rest(100 * time.Millisecond)
		return out, errNobody
	}
	type answer struct {
		out T
		err error
	}
	come := make(chan answer, 1)
	c.w.under.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askFor)
		defer cancel()
		out, err := f(ctx, p.service)
		come <- answer{out, err}
	})
	t := time.NewTimer(askFor)
	defer t.Stop()
	select {
	case a := <-come:
		return a.out, a.err
	case <-p.died:
		return out, errLost
	case <-t.C:
		return out, errLost
	}
}

// rests waits before the next question.
func (c *caller) rests(from, to time.Duration) {
	c.asked++
	rest(c.of(20, c.asked).span(from, to))
}

// late says that the caller has tried for long enough.
func (c *caller) late() bool { return time.Since(c.w.begun) > givesUp }

// submit sends the order until it is accepted.
func (c *caller) submit(kit *texts) job.ID {
	for again := false; !c.late(); again = true {
		if again {
			c.w.saw(resubmitted)
		}
		c.w.note(history.Event{Kind: history.Submitted, Order: c.n})
		got, err := asking(c, func(ctx context.Context, s *job.Service) (job.Receipt, error) { return c.send(ctx, s, kit) })
		if err == nil {
			c.w.note(history.Event{Kind: history.Accepted, Order: c.n, Job: string(got.Job.ID)})
			return got.Job.ID
		}
		c.rests(100*time.Millisecond, callerPause)
	}
	return ""
}

func (c *caller) send(ctx context.Context, s *job.Service, kit *texts) (job.Receipt, error) {
	o := job.Order{Who: &key.Caller{Team: key.TeamID(c.Team)}}
	if c.Key {
		o.Idempotency = "order-" + strconv.Itoa(c.n)
	}
	binary.BigEndian.PutUint64(o.Hash[:], uint64(c.n)) //nolint:gosec // It counts up.
	meta := `{"order":` + strconv.Itoa(c.n) + `}`
	if c.upload {
		line, rest, _ := strings.Cut(kit.lines[c.Items], "\n")
		line = strings.TrimSuffix(line, "}") + `,"metadata":` + meta + c.own() + "}"
		return s.Upload(ctx, job.Upload{
			Order: o, Lines: strings.NewReader(line + "\n" + rest), LineBytes: 1 << 20, Sum: sha256.New(), Admit: func(context.Context, int) error { return nil },
		})
	}
	d := *kit.drafts[c.Items]
	d.Job.Metadata, d.Job.Priority = []byte(meta), c.priority
	if c.RunAt > 0 && c.RunAt > time.Since(c.w.begun) {
		d.Job.RunAt = c.w.begun.Add(c.RunAt).UTC()
	}
	if c.Deadline > 0 {
		d.Job.Deadline = c.w.begun.Add(c.Deadline).UTC()
	}
	if c.inline {
		d.Job.Webhook = job.Webhook{URL: hookURL(c.Team), Secret: secretText()}
	}
	return s.Submit(ctx, o, &d)
}

// own is what the first line of an upload says beside the metadata.
func (c *caller) own() string {
	text := `,"priority":"` + c.priority.String() + `"`
	if c.inline {
		text += `,"webhook":{"url":"` + hookURL(c.Team) + `","secret":"` + secretText() + `"}`
	}
	return text
}

func hookURL(team string) string { return "https://" + team + ".example/hook" }

// end cancels the job, unless it is over.
func (c *caller) end(id job.ID) {
	for !c.late() {
		c.w.note(history.Event{Kind: history.CancelSent, Job: string(id)})
		j, err := asking(c, func(ctx context.Context, s *job.Service) (job.Job, error) {
			return s.Cancel(ctx, key.OfTeam(key.TeamID(c.Team)), id)
		})
		if err == nil {
			c.w.saw(cancelled)
			c.w.note(history.Event{Kind: history.Cancelled, Job: string(id), Run: j.Run})
			return
		}
		if fault.Is(err, fault.Conflict) {
			return
		}
		c.rests(100*time.Millisecond, callerPause)
	}
}

// again retries the job; where the answer is lost it may have begun.
func (c *caller) again(id job.ID) {
	for !c.late() {
		c.w.note(history.Event{Kind: history.RetrySent, Job: string(id)})
		j, err := asking(c, func(ctx context.Context, s *job.Service) (job.Job, error) {
			return s.Retry(ctx, key.OfTeam(key.TeamID(c.Team)), id)
		})
		if err == nil {
			c.w.saw(retried)
			c.w.note(history.Event{Kind: history.Retried, Job: string(id), Run: j.Run})
			return
		}
		if fault.Is(err, fault.Conflict) {
			return
		}
		c.rests(100*time.Millisecond, callerPause)
	}
}

// follow looks at the job until it is over.
func (c *caller) follow(id job.ID) (j job.Job, over bool) {
	for !c.late() {
		since := time.Since(c.w.begun)
		j, err := asking(c, func(ctx context.Context, s *job.Service) (job.Job, error) {
			j, _, err := s.Job(ctx, key.OfTeam(key.TeamID(c.Team)), id)
			return j, err
		})
		if err == nil {
			c.w.noteJob(&j, since, false)
			if j.State.Final() {
				c.items(id)
				return j, true
			}
			if c.of(21, c.asked).hit(0.15) {
				c.items(id)
			}
		}
		c.rests(500*time.Millisecond, 2*callerPause)
	}
	return j, false
}

// items looks at the items.
func (c *caller) items(id job.ID) {
	if c.Items > mostBatch {
		return // At the end, once.
	}
	since := time.Since(c.w.begun)
	list, err := asking(c, func(ctx context.Context, s *job.Service) (list []job.Item, err error) {
		for it, err := range s.Results(ctx, key.OfTeam(key.TeamID(c.Team)), id, false, 0) {
			if err != nil {
				return nil, err
			}
			list = append(list, it)
		}
		return list, nil
	})
	if err == nil {
		c.w.noteItems(list, since, false)
	}
}

func (w *world) noteJob(j *job.Job, since time.Duration, last bool) {
	w.note(history.Event{Kind: history.JobRead, Job: string(j.ID), Run: j.Run, State: string(j.State), Progress: history.Progress(j.Progress), Since: since, Last: last})
}

func (w *world) noteItems(list []job.Item, since time.Duration, last bool) {
	for i := range list {
		it := &list[i]
		e := history.Event{Kind: history.ItemRead, Job: string(it.Job), Item: it.N, State: string(it.State), Since: since, Last: last}
		if it.State == job.ItemCompleted {
			e.Answer = string(it.Result)
		}
		w.note(e)
	}
}
