package history

import (
	"strings"
	"time"
)

// messagesAreOne: one webhook-id names one message: the same event of the same job, in the same bytes, always signed.
func (c *judge) messagesAreOne(j *jobCase) {
	first := map[string]*Event{}
	for _, m := range j.messages {
		if !m.Signed {
			c.wrong("every message is signed", "%s of %s came without a right signature", m.Message, j.id)
		}
		before := first[m.Message]
		if before == nil {
			first[m.Message] = m
			continue
		}
		if before.Event != m.Event || before.Answer != m.Answer {
			c.wrong("a webhook-id is one message", "%s tells of %s %q and of %s %q", m.Message, before.Event, before.Answer, m.Event, m.Answer)
		}
	}
}

// messagesAreTrue: a message tells of an end that a question sent later sees too, and an end is told under one id.
func (c *judge) messagesAreTrue(j *jobCase) {
	ids := map[string]map[string]bool{}
	for _, m := range j.messages {
		if !j.accepted && j.order == nil && len(j.calls) == 0 && len(j.reads) == 0 && m.Event != "job.expired" && m.Event != "job.cancelled" {
			c.wrong("a message is of a job", "%s tells of %s, which nobody has seen", m.Message, j.id)
		}
		if ids[m.Event] == nil {
			ids[m.Event] = map[string]bool{}
		}
		ids[m.Event][m.Message] = true
		for _, r := range j.reads {
			if r.Since >= m.At && !final(r.State) && !sentBefore(j.retries, RetrySent, r.At) {
				c.wrong("no event without its state", "%s came at %s, and %s is %s at %s", m.Message, m.At, j.id, r.State, r.At)
			}
		}
	}
	most := 1
	for _, e := range j.retries {
		if e.Kind == RetrySent {
			most++
		}
	}
	for event, list := range ids {
		if len(list) > most {
			c.wrong("an end has one webhook-id", "%s of %s was told under %d ids, in %d runs at the most", event, j.id, len(list), most)
		}
	}
	c.eventsFitStates(j, ids, most)
}

// eventsFitStates: in a job without retries the one event is that of its state.
func (c *judge) eventsFitStates(j *jobCase, ids map[string]map[string]bool, runs int) {
	if runs > 1 {
		return
	}
	for _, r := range j.reads {
		for event := range ids {
			if final(r.State) && strings.TrimPrefix(event, "job.") != r.State {
				c.wrong("an event is its state's", "%s is %s, and its receiver was told %s", j.id, r.State, event)
			}
		}
	}
}

// endIsTold: of each end that was seen the receiver has taken a message, where it could be reached in time.
func (c *judge) endIsTold(j *jobCase) {
	if j.order == nil || !j.order.Webhook {
		return
	}
	ends := map[string]map[int]time.Duration{}
	for _, r := range j.reads {
		if !final(r.State) {
			continue
		}
		if ends[r.State] == nil {
			ends[r.State] = map[int]time.Duration{}
		}
		if _, known := ends[r.State][r.Run]; !known {
			ends[r.State][r.Run] = r.At
		}
	}
	for state, runs := range ends {
		taken := map[string]bool{}
		for _, m := range j.messages {
			if m.Taken && m.Signed && m.Event == "job."+state {
				taken[m.Message] = true
			}
		}
		due := 0
		for _, at := range runs {
			if !c.awayThroughout(at) {
				due++
			}
		}
		if len(taken) < due {
			c.wrong("an end is told", "%s ended as %s in %d runs, of which %d were told", j.id, state, due, len(taken))
		}
	}
}

// awayThroughout says that the receiver was not to be reached, from an end that was known at a time, for as long as its message is tried.
func (c *judge) awayThroughout(at time.Duration) bool {
	for _, s := range c.away {
		if s.from <= at && s.to >= at+c.Bounds.MaxAge {
			return true
		}
	}
	return false
}
