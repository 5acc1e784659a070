package history

import (
	"slices"
	"time"
)

// answersAreTheProviders: what an item completed with, the provider has answered for this item, before it was read; and not after the cancellation that it would have survived.
func (c *judge) answersAreTheProviders(j *jobCase) {
	for n, it := range j.items {
		for _, r := range it.reads {
			if r.State != "completed" {
				continue
			}
			i := slices.IndexFunc(it.calls, func(k *call) bool {
				return k.end != nil && k.end.Answer != "" && k.end.Answer == r.Answer && k.till <= r.At
			})
			if i < 0 {
				c.wrong("a result is the provider's answer", "item %d of %s completed with %q, which no call of it gave", n, j.id, r.Answer)
				continue
			}
			for _, e := range j.cancels {
				if e.Kind == Cancelled && it.calls[i].till > e.At && !sentBefore(j.retries, RetrySent, it.calls[i].till) {
					c.wrong("a cancelled job gets no results", "item %d of %s was answered at %s, after the cancellation at %s", n, j.id, it.calls[i].till, e.At)
				}
			}
		}
	}
}

// callsKeepTheirTime: no call of the first run begins before run_at, and none for a job that expired.
func (c *judge) callsKeepTheirTime(j *jobCase) {
	if j.order == nil {
		return
	}
	expired := slices.ContainsFunc(j.reads, func(r *Event) bool { return r.State == "expired" && r.Run == 1 })
	for _, k := range j.calls {
		if k.At < j.order.RunAt && !sentBefore(j.retries, RetrySent, k.At) { // A retry is due at once.
			c.wrong("work waits for run_at", "a call for %s began at %s, before %s", j.id, k.At, j.order.RunAt)
		}
		if expired && !sentBefore(j.retries, RetrySent, k.At) {
			c.wrong("what has begun does not expire", "%s expired, and a call for it began at %s", j.id, k.At)
		}
	}
}

// oneCallAtATime: an item is with one worker at a time. Two exceptions are promised: of a job that was cancelled and begun again the old call may go on for a lease, and so may that of
// a process that stood still.
func (c *judge) oneCallAtATime(j *jobCase) {
	for n, it := range j.items {
		for i, k := range it.calls {
			for _, other := range it.calls[:i] {
				if other.till <= k.At {
					continue
				}
				if c.stoodStill(other) || c.stoodStill(k) || c.begunAnew(j, other, k) {
					continue
				}
				c.wrong("an item is with one worker", "item %d of %s: call %d by %s from %s to %s, and call %d by %s at %s", n, j.id, other.Call, other.Process, other.At, other.till, k.Call, k.Process, k.At)
			}
		}
	}
}

// stoodStill says whether the process of a call was frozen while the call went on, or until it began: then it goes on from where it was.
func (c *judge) stoodStill(k *call) bool {
	return slices.ContainsFunc(c.freezes[k.Process], func(s span) bool { return s.from < k.till && s.to >= k.At })
}

// begunAnew says that the job was cancelled and begun again before the later of two calls began, and that one of them, that of the run before, ended within a lease of
// that: its worker may have been slow to begin it.
func (c *judge) begunAnew(j *jobCase, before, after *call) bool {
	for _, e := range j.cancels {
		settled := e.At + c.settleIn(j, e.At)
		if e.Kind == CancelSent && e.At <= after.At && settled >= min(before.till, after.till) && sentBefore(j.retries, RetrySent, after.At) {
			return true
		}
	}
	return false
}

// settleIn is how long after a cancellation was sent its work may go on: a lease after it was acknowledged.
func (c *judge) settleIn(j *jobCase, sent time.Duration) time.Duration {
	most := c.Bounds.Lease
	for _, e := range j.cancels {
		if e.Kind == Cancelled && e.At >= sent {
			most = max(most, e.At-sent+c.Bounds.Lease)
		}
	}
	return most
}

// callsAreBounded: an item is tried so often a run, and is not tried for ever where it ends its workers.
func (c *judge) callsAreBounded(j *jobCase) {
	runs := 1
	for _, e := range j.retries {
		if e.Kind == RetrySent {
			runs++
		}
	}
	most := runs*c.Bounds.Attempts + c.drains
	for n, it := range j.items {
		if len(it.calls) > most {
			c.wrong("an item is tried a bounded number of times", "item %d of %s was called for %d times in %d runs; %d are allowed", n, j.id, len(it.calls), runs, most)
		}
	}
}

// cancelEndsWork: a lease after a cancellation was acknowledged no call for the job begins, and none that had begun goes on.
func (c *judge) cancelEndsWork(j *jobCase) {
	for _, e := range j.cancels {
		if e.Kind != Cancelled {
			continue
		}
		limit := e.At + c.Bounds.Lease
		for _, k := range j.calls {
			if sentBefore(j.retries, RetrySent, max(k.At, e.At)) {
				continue
			}
			if k.At > limit && !c.stoodStill(k) {
				c.wrong("a cancellation ends the work", "%s was cancelled at %s, and call %d for it began at %s", j.id, e.At, k.Call, k.At)
			}
			if k.At <= limit && k.till > limit && !c.stoodStill(k) {
				c.wrong("a cancellation ends the work", "%s was cancelled at %s, and call %d for it went on until %s", j.id, e.At, k.Call, k.till)
			}
		}
	}
}

// teamsTakeTurns: a team with much work does not hold back one with little.
func (c *judge) teamsTakeTurns() {
	if c.Bounds.Fair == 0 {
		return
	}
	for _, j := range c.jobs {
		if j.order == nil {
			continue
		}
		for n, it := range j.items {
			if len(it.calls) == 0 {
				continue
			}
			from, to := max(j.acceptedAt, j.order.RunAt), it.calls[0].At
			ahead, others := 1, map[string]int{}
			for _, k := range c.calls {
				o := k.job.order
				if o == nil || o.Class != j.order.Class || k.At < from || k.At >= to {
					continue
				}
				if o.Team == j.order.Team {
					ahead++
				} else {
					others[o.Team]++
				}
			}
			for team, begun := range others {
				if begun > c.Bounds.Fair*ahead {
					c.wrong("teams take turns", "item %d of %s (team %s) waited from %s to %s, while %d calls for team %s began and %d of its own", n, j.id, j.order.Team, from, to, begun, team, ahead-1)
				}
			}
		}
	}
}
