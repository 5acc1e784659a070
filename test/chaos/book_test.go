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

	"github.com/promptd/promptd/test/history"
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
			if !o.over() {
				if _, err := b.c.read(o); err != nil {
					b.c.wrong("%v", err)
				}
			}
			if !o.over() || !taken(b.c.w.receiver.of(o.id)) {
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

// judge reads every job once more, and compares what was accepted with what became of it: by the promises, in test/history, and here what only this suite sees.
func (b *book) judge(t *testing.T) { b.judgeWith(t, nil) }

// judgeWith is judge with further events.
func (b *book) judgeWith(t *testing.T, more []history.Event) {
	t.Helper()
	var completed atomic.Int64
	b.each(func(o *order) {
		before := o.reads[len(o.reads)-1]
		end, err := b.c.read(o)
		if err != nil {
			b.c.wrong("%v", err)
			return
		}
		if before.ended() && end.raw != before.raw {
			b.c.wrong("job %s changed behind its end, from %s to %s", o.id, before.raw, end.raw)
		}
		b.judgeAnswers(o, end)
		if end.Status == "completed" {
			completed.Add(1)
		}
	})
	if n := b.c.counted("accepted"); n < len(b.orders) {
		t.Errorf("%d of %d orders were accepted", n, len(b.orders))
	}
	b.judgeList(t)
	broken := history.Judge(b.history(more))
	for _, v := range broken[:min(20, len(broken))] {
		t.Error(v)
	}
	if len(broken) > 20 {
		t.Errorf("and %d more", len(broken)-20)
	}
	messages, of := 0, map[string]string{}
	receipts, unsigned := b.c.w.receiver.all()
	for job, list := range receipts {
		for _, one := range list {
			messages++
			if other, there := of[one.id]; there && other != job {
				t.Errorf("jobs %s and %s share the webhook-id %s", job, other, one.id)
			}
			of[one.id] = job
		}
	}
	for _, text := range unsigned {
		t.Error("a message that is not signed: " + text)
	}
	t.Logf("%d orders: %d completed, %d otherwise over; %d webhook-ids in %d messages", len(b.orders), completed.Load(), int64(len(b.orders))-completed.Load(), len(of), messages)
}

// judgeAnswers says whether the results are those of the prompts.
func (b *book) judgeAnswers(o *order, end *final) {
	if len(end.answers) != len(o.numbers) {
		b.c.wrong("job %s of %d prompts ended with %s", o.id, len(o.numbers), end.raw)
		return
	}
	for i, got := range end.answers {
		if got != -1 && got != o.numbers[i] {
			b.c.wrong("job %s answers %d with %d", o.id, o.numbers[i], got)
		}
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
