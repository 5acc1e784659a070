package history

// comesToItsEnd: an accepted job reaches a final state once faults have stopped.
func (c *judge) comesToItsEnd(j *jobCase) {
	if !j.accepted {
		return
	}
	for _, r := range j.reads {
		if r.Last && final(r.State) {
			return
		}
	}
	c.wrong("every accepted job ends", "%s was accepted at %s and is not over at the end: %d reads", j.id, j.acceptedAt, len(j.reads))
}

// ordersAreOneJob: an order under an idempotency key is one job, however often it was sent, by its answers and by what the provider is asked; and two orders never are.
func (c *judge) ordersAreOneJob() {
	first, of := map[int]string{}, map[string]int{}
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind != Accepted && e.Kind != CallBegun {
			continue
		}
		if id, known := first[e.Order]; known && id != e.Job && c.Orders[e.Order].Key {
			c.wrong("an idempotency key gives one job", "order %d is %s and %s", e.Order, id, e.Job)
		}
		if other, known := of[e.Job]; known && other != e.Order {
			c.wrong("a job is one order's", "%s is of the orders %d and %d", e.Job, other, e.Order)
		}
		first[e.Order], of[e.Job] = e.Job, e.Order
	}
}

// stateNeverGoesBack: within a run a final state stays, and a question that is sent after an answer sees nothing older.
func (c *judge) stateNeverGoesBack(j *jobCase) {
	finals := map[int]string{}
	for i, r := range j.reads {
		if final(r.State) {
			if s, known := finals[r.Run]; known && s != r.State {
				c.wrong("a job ends once a run", "%s ended run %d as %s and as %s", j.id, r.Run, s, r.State)
			}
			finals[r.Run] = r.State
		}
		for _, before := range j.reads[:i] {
			if before.At > r.Since {
				continue
			}
			back := r.Run < before.Run || r.Run == before.Run && (final(before.State) && r.State != before.State || before.State == "processing" && r.State == "pending" ||
				r.Progress.Completed < before.Progress.Completed || r.Progress.Failed < before.Progress.Failed || r.Progress.Cancelled < before.Progress.Cancelled)
			if back {
				c.wrong("a job never goes back", "%s was %s in run %d %+v, and %s in run %d %+v after it", j.id, before.State, before.Run, before.Progress, r.State, r.Run, r.Progress)
			}
		}
		if runs := j.runs(r); r.Run > runs {
			c.wrong("a run is asked for", "%s is in run %d, of %d that were asked for", j.id, r.Run, runs)
		}
	}
}

// runs is how many runs a job may have had by an answer.
func (j *jobCase) runs(r *Event) int {
	n := 1
	for _, e := range j.retries {
		if e.Kind == RetrySent && e.At <= r.At {
			n++
		}
	}
	return n
}

// progressAddsUp: counts and state of one answer fit.
func (c *judge) progressAddsUp(j *jobCase) {
	for _, r := range j.reads {
		p := r.Progress
		done := p.Completed + p.Failed + p.Cancelled
		fits := done <= p.Total && (j.order == nil || p.Total == j.order.Items)
		switch r.State {
		case "pending", "processing":
			fits = fits && done < p.Total && p.Cancelled == 0
		case "completed":
			fits = fits && p.Completed == p.Total
		case "failed":
			fits = fits && p.Failed == p.Total
		case "completed_with_errors":
			fits = fits && p.Completed > 0 && p.Failed > 0 && done == p.Total && p.Cancelled == 0
		case "cancelled":
			fits = fits && done == p.Total && p.Cancelled > 0
		case "expired":
			fits = fits && done == p.Total && p.Cancelled > 0
		default:
			fits = false
		}
		if !fits {
			c.wrong("progress fits the state", "%s is %s with %+v", j.id, r.State, p)
		}
		if r.State == "expired" && r.Run == 1 && j.order != nil && (j.order.Deadline == 0 || r.At < j.order.Deadline) {
			c.wrong("a job expires at its deadline", "%s is expired at %s", j.id, r.At)
		}
		if r.Last {
			c.countItems(j, p)
		}
	}
}

// countItems compares the counts with the items, when all is at rest.
func (c *judge) countItems(j *jobCase, p Progress) {
	got := Progress{Total: len(j.items)}
	for _, it := range j.items {
		for _, r := range it.reads {
			if !r.Last {
				continue
			}
			switch r.State {
			case "completed":
				got.Completed++
			case "failed":
				got.Failed++
			case "cancelled":
				got.Cancelled++
			}
		}
	}
	if got != p {
		c.wrong("progress counts the items", "%s tells %+v of items %+v", j.id, p, got)
	}
}

// itemsNeverChange: what an item ended with stays, but for a retry of what did not complete.
func (c *judge) itemsNeverChange(j *jobCase) {
	for n, it := range j.items {
		var completed *Event
		for i, r := range it.reads {
			if r.State == "completed" {
				if completed != nil && completed.Answer != r.Answer {
					c.wrong("a result is recorded once", "item %d of %s is %q and %q", n, j.id, completed.Answer, r.Answer)
				}
				completed = r
			}
			for _, before := range it.reads[:i] {
				if before.At > r.Since || !ended(before.State) || before.State == r.State {
					continue
				}
				if before.State == "completed" || !sentBefore(j.retries, RetrySent, r.At) {
					c.wrong("an item ends once", "item %d of %s was %s at %s and is %s at %s", n, j.id, before.State, before.At, r.State, r.At)
				}
			}
		}
	}
}
