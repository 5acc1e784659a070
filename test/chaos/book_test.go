package chaos

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// book is what callers know of the jobs of a run.
type book struct {
	c      *caller
	orders []*order
	// chats numbers sync requests, behind the orders.
	chats atomic.Int64
}

// newBook makes the orders of a run.
func newBook(c *caller, jobs int, seed uint64) *book {
	r := rand.New(rand.NewPCG(seed, 1<<32)) //nolint:gosec // It is to be the same each time.
	b := &book{c: c}
	for n := range jobs {
		b.orders = append(b.orders, c.w.newOrder(n, r))
	}
	b.chats.Store(int64(jobs) * 10)
	return b
}

// submitAll sends the orders over a time, by twenty callers side by side.
func (b *book) submitAll(over time.Duration) {
	todo := make(chan *order)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for o := range todo {
				b.c.submit(o)
			}
		})
	}
	begun := time.Now()
	for i, o := range b.orders {
		if wait := over*time.Duration(i)/time.Duration(len(b.orders)) - time.Since(begun); wait > 0 {
			<-time.After(wait)
		}
		todo <- o
	}
	close(todo)
	group.Wait()
}

// chatUntil sends sync requests, four at a time.
func (b *book) chatUntil(stop <-chan struct{}) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(250 * time.Millisecond):
					b.c.chat(int(b.chats.Add(1)))
				}
			}
		})
	}
	group.Wait()
}

// each does something with every accepted order, sixteen at a time.
func (b *book) each(do func(o *order)) {
	todo := make(chan *order)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for o := range todo {
				do(o)
			}
		})
	}
	for _, o := range b.orders {
		if o.id != "" {
			todo <- o
		}
	}
	close(todo)
	group.Wait()
}

// drain waits until every job is over and told, for as long as the bound allows. Jobs are read when they are over.
func (b *book) drain(t *testing.T, bound time.Duration) {
	t.Helper()
	for end := time.Now().Add(bound); ; {
		var open atomic.Int64
		b.each(func(o *order) {
			if o.seen == nil {
				f, err := b.c.read(o)
				if err != nil {
					b.c.wrong("%v", err)
				}
				o.seen = f
			}
			if o.seen == nil || !taken(b.c.w.receiver.of(o.id)) {
				open.Add(1)
			}
		})
		if open.Load() == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d of %d jobs are not over and told after %s", open.Load(), len(b.orders), bound)
			return
		}
		<-time.After(time.Second)
	}
}

func taken(list []receipt) bool {
	return slices.ContainsFunc(list, func(r receipt) bool { return r.taken })
}

// judge compares what was accepted with what became of it.
func (b *book) judge(t *testing.T) {
	t.Helper()
	var completed, errored atomic.Int64
	b.each(func(o *order) {
		end, err := b.c.read(o)
		switch {
		case err != nil:
			b.c.wrong("%v", err)
			return
		case end == nil || o.seen == nil:
			b.c.wrong("job %s of order %d is not over", o.id, o.n)
			return
		case end.raw != o.seen.raw:
			b.c.wrong("job %s changed behind its end, from %s to %s", o.id, o.seen.raw, end.raw)
		}
		if err := b.c.w.receiver.judge(o.id, end.Status); err != nil {
			b.c.wrong("job %s: %v", o.id, err)
		}
		for _, r := range b.c.w.receiver.of(o.id) {
			if r.completedAt != end.CompletedAt {
				b.c.wrong("job %s ended at %s by its message and at %s by its row", o.id, r.completedAt, end.CompletedAt)
			}
		}
		b.judgeAnswers(o, end)
		if end.Status == "completed" {
			completed.Add(1)
		} else {
			errored.Add(1)
		}
	})
	accepted := b.c.counted("accepted")
	if accepted != len(b.orders) {
		t.Errorf("%d of %d orders were accepted", accepted, len(b.orders))
	}
	b.judgeList(t)
	r := b.c.w.receiver
	for _, text := range r.unsigned {
		t.Error("a message that is not signed: " + text)
	}
	ids := map[string]string{}
	for job, list := range r.receipts {
		for _, one := range list {
			if other, there := ids[one.id]; there && other != job {
				t.Errorf("jobs %s and %s share the webhook-id %s", job, other, one.id)
			}
			ids[one.id] = job
		}
	}
	t.Logf("accepted %d, completed %d, otherwise over %d, webhook-ids %d, receipts %d", accepted, completed.Load(), errored.Load(), len(ids), r.tried())
}

// judgeAnswers says whether the results are those of the prompts, and really came from the service.
func (b *book) judgeAnswers(o *order, end *final) {
	if p := end.Progress; p.Total != len(o.numbers) || p.Completed+p.Failed+p.Cancelled != p.Total || len(end.answers) != p.Total {
		b.c.wrong("job %s of %d prompts ended with %s", o.id, len(o.numbers), end.raw)
		return
	}
	failed := 0
	for i, got := range end.answers {
		if got == -1 {
			failed++
			continue
		}
		if got != o.numbers[i] {
			b.c.wrong("job %s answers %d with %d", o.id, o.numbers[i], got)
		}
		if b.c.w.provider.asked(mark.FindStringSubmatch(prompt(b.c.w.run, o.numbers[i]))[1]) == 0 {
			b.c.wrong("job %s answers %d, which nobody asked the service", o.id, o.numbers[i])
		}
	}
	want := "completed"
	switch {
	case failed == len(end.answers):
		want = "failed"
	case failed > 0:
		want = "completed_with_errors"
	}
	if end.Status != want || end.Progress.Failed != failed {
		b.c.wrong("job %s with %d failed prompts is %s", o.id, failed, end.raw)
	}
}

// judgeList compares the list of all jobs with those that were accepted: none more, none less.
func (b *book) judgeList(t *testing.T) {
	t.Helper()
	known := map[string]bool{}
	for _, o := range b.orders {
		known[o.id] = true
	}
	listed, cursor := 0, ""
	for {
		got, err := b.c.persist(http.MethodGet, "/v1/jobs?limit=500"+cursor, nil, "")
		var page struct {
			Data []struct {
				JobID string `json:"job_id"`
			}
			NextCursor string `json:"next_cursor"`
		}
		if err != nil || json.Unmarshal(got.body, &page) != nil {
			t.Errorf("the list of jobs was answered %d %s, %v", got.status, got.body, err)
			return
		}
		for _, j := range page.Data {
			listed++
			if !known[j.JobID] {
				t.Errorf("job %s is of no order: a submission was taken twice", j.JobID)
			}
		}
		if page.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + page.NextCursor
	}
	if listed != len(b.orders) {
		t.Errorf("%d jobs are listed, of %d orders", listed, len(b.orders))
	}
}
