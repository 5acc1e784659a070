package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/test/history"
)

// right is a history in which every promise is kept: one item, done by one call, told of once.
func right() *history.History {
	const s = time.Second
	done := history.Progress{Total: 1, Completed: 1}
	return &history.History{
		Bounds: history.Bounds{Lease: 3 * s, Attempts: 2, MaxAge: time.Hour},
		Orders: []history.Order{{Key: true, Items: 1, Webhook: true}, {Items: 1}},
		Events: []history.Event{
			{At: 0, Kind: history.Submitted},
			{At: s, Kind: history.Accepted, Job: "j"},
			{At: 2 * s, Kind: history.CallBegun, Job: "j", Call: 1, Process: "a", Most: 10},
			{At: 3 * s, Kind: history.CallEnded, Call: 1, Answer: "yes", Cost: 7},
			{At: 4 * s, Since: 3 * s, Kind: history.JobRead, Job: "j", Run: 1, State: "completed", Progress: done},
			{At: 5 * s, Kind: history.Received, Job: "j", Message: "m1", Event: "job.completed", Answer: "body", Signed: true, Taken: true},
			{At: 60 * s, Since: 60 * s, Kind: history.JobRead, Job: "j", Run: 1, State: "completed", Progress: done, Last: true},
			{At: 60 * s, Since: 60 * s, Kind: history.ItemRead, Job: "j", State: "completed", Answer: "yes", Last: true},
			{At: 60 * s, Kind: history.Balance, Cost: 7},
		},
	}
}

func TestWhatIsRightIsRight(t *testing.T) {
	t.Parallel()
	if wrong := history.Judge(right()); len(wrong) > 0 {
		t.Errorf("got %v, want nothing", wrong)
	}
}

// TestEachBrokenPromiseIsSeen changes one thing of a right history.
func TestEachBrokenPromiseIsSeen(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, c := range []struct {
		rule   string
		change func(h *history.History)
	}{
		{"every accepted job ends", func(h *history.History) { h.Events[6].Last = false }},
		{"an idempotency key gives one job", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 61 * s, Kind: history.Accepted, Job: "other"})
		}},
		{"a job is one order's", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 61 * s, Kind: history.Accepted, Order: 1, Job: "j"})
		}},
		{"a job ends once a run", func(h *history.History) {
			h.Events[4].State, h.Events[4].Progress = "failed", history.Progress{Total: 1, Failed: 1}
		}},
		{"a job never goes back", func(h *history.History) {
			h.Events[6].State, h.Events[6].Progress = "pending", history.Progress{Total: 1}
		}},
		{"a run is asked for", func(h *history.History) { h.Events[6].Run = 2 }},
		{"progress fits the state", func(h *history.History) { h.Events[4].Progress.Failed = 1 }},
		{"progress counts the items", func(h *history.History) { h.Events[7].State = "failed" }},
		{"a result is the provider's answer", func(h *history.History) { h.Events[7].Answer = "no" }},
		{"a result is recorded once", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 5 * s, Kind: history.ItemRead, Job: "j", State: "completed", Answer: "maybe"})
		}},
		{"a job expires at its deadline", func(h *history.History) {
			h.Events[4].State, h.Events[4].Progress = "expired", history.Progress{Total: 1, Cancelled: 1}
		}},
		{"work waits for run_at", func(h *history.History) { h.Orders[0].RunAt = 10 * s }},
		{"an item is with one worker", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 2500 * time.Millisecond, Kind: history.CallBegun, Job: "j", Call: 2, Process: "b"})
		}},
		{"an item is tried a bounded number of times", func(h *history.History) { h.Bounds.Attempts = 0 }},
		{"a cancellation ends the work", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 10 * s, Kind: history.Cancelled, Job: "j"}, history.Event{At: 14 * s, Kind: history.CallBegun, Job: "j", Call: 2})
		}},
		{"a cancelled job gets no results", func(h *history.History) {
			h.Events = append(h.Events, history.Event{At: 2 * s, Kind: history.Cancelled, Job: "j"})
		}},
		{"every message is signed", func(h *history.History) { h.Events[5].Signed = false }},
		{"a webhook-id is one message", func(h *history.History) {
			again := h.Events[5]
			again.Answer = "another body"
			h.Events = append(h.Events, again)
		}},
		{"an end has one webhook-id", func(h *history.History) {
			again := h.Events[5]
			again.Message = "m2"
			h.Events = append(h.Events, again)
		}},
		{"an event is its state's", func(h *history.History) { h.Events[5].Event = "job.failed" }},
		{"no event without its state", func(h *history.History) {
			h.Events[5].At, h.Events[4].State, h.Events[4].Progress = s, "processing", history.Progress{Total: 1}
		}},
		{"an end is told", func(h *history.History) { h.Events[5].Taken = false }},
		{"what was used is charged", func(h *history.History) { h.Events[8].Cost = 6 }},
		{"no more is charged than was used", func(h *history.History) { h.Events[8].Cost = 8 }},
		{"nothing stays reserved", func(h *history.History) { h.Events[8].Most = 1 }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			h := right()
			c.change(h)
			wrong := history.Judge(h)
			for _, v := range wrong {
				if v.Rule == c.rule {
					return
				}
			}
			t.Errorf("got %v, want %q among them, of\n%s", wrong, c.rule, strings.TrimSpace(h.String()))
		})
	}
}
