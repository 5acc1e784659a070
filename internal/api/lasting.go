package api

import (
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// The bounds of what lasts. A stream costs two goroutines and a look into the store each second; an upload holds a portion of up to 4 MB and a line.
const (
	mostStreams, mostStreamsOfKey = 2000, 200
	mostUploads, mostUploadsOfKey = 64, 16
	// lastingAgain is the Retry-After of what finds no place.
	lastingAgain = 2 * time.Second
)

// lasting bounds requests of a kind that go on for as long as a job, a slow reader or a slow sender does. They leave the door, whose places are for requests that
// are soon over, and have places of their own: no key takes those of all, and all together stay below what a process can hold.
type lasting struct {
	what            string // as callers call them
	most, mostOfKey int

	mu sync.Mutex

	inside int
	ofKey  map[key.ID]int
}

func newLasting(what string, most, mostOfKey int) *lasting {
	return &lasting{what: what, most: most, mostOfKey: mostOfKey, ofKey: map[key.ID]int{}}
}

// enter takes a place for a caller, who gives it back by leave. Callers without a key share the bound of the process alone.
func (l *lasting) enter(who *key.Caller) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case who.Key != "" && l.ofKey[who.Key] >= l.mostOfKey:
		f := fault.New(fault.RateLimitExceeded, "the key has %d %s open at the same time, as many as it may", l.mostOfKey, l.what)
		f.RetryAfter, f.Remediation = lastingAgain, "Close one, or wait for its end."
		return nil, f
	case l.inside >= l.most:
		f := fault.New(fault.Overloaded, "promptd has %d %s open at the same time, as many as one process takes", l.most, l.what)
		f.RetryAfter = lastingAgain
		return nil, f
	}
	l.inside++
	l.ofKey[who.Key]++
	return func() { l.leave(who.Key) }, nil
}

func (l *lasting) leave(id key.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside--
	if l.ofKey[id]--; l.ofKey[id] == 0 {
		delete(l.ofKey, id)
	}
}

// lasts takes a place among the lasting in exchange for that at the door.
func (c *call) lasts(among *lasting) (leave func(), err error) {
	if leave, err = among.enter(c.caller); err == nil {
		c.leaveDoor()
	}
	return leave, err
}

// leaveDoor gives back the place at the door, where the call has one.
func (c *call) leaveDoor() {
	if c.atDoor {
		c.atDoor = false
		c.server.deps.Door.Leave()
	}
}
