package history

import (
	"fmt"
	"time"
)

// Judge says which promises were broken; nothing where all were kept.
func Judge(h *History) []Violation {
	c := newCase(h)
	for _, rule := range []func(*jobCase){
		c.comesToItsEnd, c.stateNeverGoesBack, c.progressAddsUp, c.itemsNeverChange, c.answersAreTheProviders, c.callsKeepTheirTime, c.oneCallAtATime, c.callsAreBounded,
		c.cancelEndsWork, c.messagesAreOne, c.messagesAreTrue, c.endIsTold,
	} {
		for _, j := range c.jobs {
			rule(j)
		}
	}
	c.ordersAreOneJob()
	c.teamsTakeTurns()
	c.moneyIsCounted()
	return c.found
}

// judge is a history by jobs.
type judge struct {
	*History
	jobs  map[string]*jobCase
	calls map[int]*call
	// kills, drains and freezes are by process; away are the times that the receiver was not to be reached.
	freezes map[string][]span
	drains  int
	away    []span
	end     time.Duration
	found   []Violation
}

// span is a stretch of time; its end is that of the history where it has none of its own.
type span struct{ from, to time.Duration }

// jobCase is all that was seen of one job.
type jobCase struct {
	id       string
	order    *Order
	accepted bool
	// acceptedAt is when its caller first knew of it.
	acceptedAt time.Duration
	reads      []*Event // JobRead
	items      map[int]*itemCase
	cancels    []*Event // CancelSent, Cancelled
	retries    []*Event // RetrySent, Retried
	messages   []*Event
	calls      []*call
}

type itemCase struct {
	reads []*Event
	calls []*call
}

type call struct {
	*Event
	end  *Event
	job  *jobCase
	till time.Duration
}

func newCase(h *History) *judge {
	c := &judge{History: h, jobs: map[string]*jobCase{}, calls: map[int]*call{}, freezes: map[string][]span{}}
	for i := range h.Events {
		c.file(&h.Events[i])
	}
	for _, k := range c.calls {
		if k.end == nil {
			k.till = c.end
		}
	}
	return c
}

func (c *judge) job(e *Event) *jobCase {
	j := c.jobs[e.Job]
	if j == nil {
		j = &jobCase{id: e.Job, items: map[int]*itemCase{}}
		c.jobs[e.Job] = j
	}
	return j
}

func (j *jobCase) item(n int) *itemCase {
	it := j.items[n]
	if it == nil {
		it = &itemCase{}
		j.items[n] = it
	}
	return it
}

// file puts an event where the rules look for it.
func (c *judge) file(e *Event) {
	c.end = max(c.end, e.At)
	switch e.Kind {
	case Accepted:
		j := c.job(e)
		if !j.accepted {
			j.accepted, j.acceptedAt, j.order = true, e.At, &c.Orders[e.Order]
		}
	case CancelSent, Cancelled:
		j := c.job(e)
		j.cancels = append(j.cancels, e)
	case RetrySent, Retried:
		j := c.job(e)
		j.retries = append(j.retries, e)
	case JobRead:
		j := c.job(e)
		j.reads = append(j.reads, e)
	case ItemRead:
		it := c.job(e).item(e.Item)
		it.reads = append(it.reads, e)
	case CallBegun:
		j := c.job(e)
		k := &call{Event: e, job: j}
		c.calls[e.Call] = k
		j.calls = append(j.calls, k)
		it := j.item(e.Item)
		it.calls = append(it.calls, k)
	case CallEnded:
		if k := c.calls[e.Call]; k != nil {
			k.end, k.till = e, e.At
		}
	case Received:
		j := c.job(e)
		j.messages = append(j.messages, e)
	case Drained:
		c.drains++
	case Frozen:
		c.freezes[e.Process] = append(c.freezes[e.Process], span{e.At, 1 << 62})
	case Thawed:
		closeLast(c.freezes[e.Process], e.At)
	case Away:
		c.away = append(c.away, span{e.At, 1 << 62})
	case Back:
		closeLast(c.away, e.At)
	case Submitted, Killed, Balance: // Rules that count these look at the list of events.
	}
}

func closeLast(list []span, at time.Duration) {
	if len(list) > 0 {
		list[len(list)-1].to = at
	}
}

// wrong writes a violation down.
func (c *judge) wrong(rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// sentBefore says whether one of the kind was sent before a time.
func sentBefore(list []*Event, k Kind, at time.Duration) bool {
	for _, e := range list {
		if e.Kind == k && e.At <= at {
			return true
		}
	}
	return false
}
