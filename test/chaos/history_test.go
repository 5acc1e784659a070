package chaos

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/promptd/promptd/test/history"
)

// tries is how often an item may be called for: jobs.max_attempts, each of up to four calls.
const tries = 12 * 4

// history gives all that was seen from outside, for the judge who knows the promises alone.
func (b *book) history(more []history.Event) *history.History {
	w := b.c.w
	h := &history.History{Bounds: history.Bounds{Lease: lease, Attempts: tries, MaxAge: 24 * time.Hour}, Events: more}
	add := func(at time.Time, e history.Event) {
		e.At = at.Sub(w.begun)
		h.Events = append(h.Events, e)
	}
	jobs, items, orders := map[int]string{}, map[int]int{}, map[int]int{} // By number.
	for n, o := range b.orders {
		h.Orders = append(h.Orders, history.Order{Key: true, Items: len(o.numbers), Team: "default", Webhook: true})
		for item, number := range o.numbers {
			jobs[number], items[number], orders[number] = o.id, item, n
		}
		for _, r := range o.receipts {
			add(r.at, history.Event{Kind: history.Accepted, Order: n, Job: r.id})
		}
		for k, f := range o.reads {
			last := k == len(o.reads)-1
			add(f.at, history.Event{Kind: history.JobRead, Since: f.since.Sub(w.begun), Job: o.id, State: f.Status, Run: f.Run, Progress: f.Progress, Last: last})
			for item, number := range f.answers {
				e := history.Event{Kind: history.ItemRead, Since: f.since.Sub(w.begun), Job: o.id, Item: item, State: "completed", Answer: strconv.Itoa(number), Last: last}
				if number == -1 {
					e.State, e.Answer = "failed", ""
				}
				add(f.at, e)
			}
		}
		for _, r := range w.receiver.of(o.id) {
			add(r.at, history.Event{Kind: history.Received, Job: o.id, Message: r.id, Event: r.event, Answer: r.body, Run: r.run, Signed: true, Taken: r.taken})
		}
	}
	sync := len(h.Orders) // One for all requests that wait: they are nobody's order.
	h.Orders = append(h.Orders, history.Order{})
	for n, one := range w.provider.ended() {
		number, err := strconv.Atoi(mark.FindStringSubmatch("Item " + one.name)[2])
		e := history.Event{Kind: history.CallBegun, Call: n, Process: one.process, Job: jobs[number], Item: items[number], Order: orders[number], Most: mostCall}
		if err != nil || e.Job == "" {
			e.Job, e.Order = "none "+one.name, sync
		}
		add(one.at, e)
		e.Kind, e.Cost, e.Answer, e.Cut = history.CallEnded, one.cost, one.answer, one.unheard
		add(one.till, e)
	}
	slices.SortStableFunc(h.Events, func(a, b history.Event) int { return cmp.Compare(a.At, b.At) })
	return h
}
