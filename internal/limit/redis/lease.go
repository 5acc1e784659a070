package redis

import (
	"sync"
	"time"
)

// mostGiven bounds the leases that one call gives up beside what it does.
const mostGiven = 64

// leases are what this process holds under many keys, each a token on the server.
type leases struct {
	mu sync.Mutex

	keys map[string]*held
}

// held is what is held under one key.
type held struct {
	// tokens are by what they are worth; those of one worth are all the same.
	tokens map[int][]token
	// given are tokens that are no longer held, and that the server may have: it did not answer.
	given []token
}

// token is a lease's name, and when it was last sure to be renewed.
type token struct {
	name    string
	renewed time.Time
}

func newLeases() *leases { return &leases{keys: map[string]*held{}} }

// of finds what is held under a key. The mutex is held.
func (l *leases) of(key string) *held {
	h := l.keys[key]
	if h == nil {
		h = &held{tokens: map[int][]token{}}
		l.keys[key] = h
	}
	return h
}

// forget drops a key under which there is nothing. The mutex is held.
func (l *leases) forget(key string, h *held) {
	if len(h.tokens) == 0 && len(h.given) == 0 {
		delete(l.keys, key)
	}
}

// take notes a lease that was made now.
func (l *leases) take(key, name string, worth int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.of(key)
	h.tokens[worth] = append(h.tokens[worth], token{name, time.Now()})
}

// end takes out one that is worth so much; the newest, which needs no renewal yet. It is empty where there is none.
func (l *leases) end(key string, worth int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.keys[key]
	if h == nil || len(h.tokens[worth]) == 0 {
		return ""
	}
	list := h.tokens[worth]
	name := list[len(list)-1].name
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(h.tokens, worth)
	} else {
		h.tokens[worth] = list
	}
	l.forget(key, h)
	return name
}

// doubt notes leases that are to be given up with the next call.
func (l *leases) doubt(key string, names ...string) {
	if len(names) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.of(key)
	for _, name := range names {
		h.given = append(h.given, token{name, time.Now()})
	}
}

// given takes out leases that are to be given up.
func (l *leases) given(key string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.keys[key]
	if h == nil {
		return nil
	}
	n := min(mostGiven, len(h.given))
	for _, t := range h.given[:n] {
		names = append(names, t.name)
	}
	if h.given = h.given[n:]; len(h.given) == 0 {
		h.given = nil
	}
	l.forget(key, h)
	return names
}

// lapsed drops those to be given up that have lapsed on the server by now.
func (l *leases) lapsed(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, h := range l.keys {
		kept := h.given[:0]
		for _, t := range h.given {
			if t.renewed.After(before) {
				kept = append(kept, t)
			}
		}
		if h.given = kept; len(kept) == 0 {
			h.given = nil
		}
		l.forget(key, h)
	}
}

// due lists the keys with leases that were not renewed since a time.
func (l *leases) due(before time.Time) (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, h := range l.keys {
		if len(h.before(before, 1)) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// before lists up to so many leases that were not renewed since a time.
func (h *held) before(before time.Time, most int) (names []string) {
	for _, list := range h.tokens {
		for i := range list {
			if len(names) == most {
				return names
			}
			if list[i].renewed.Before(before) {
				names = append(names, list[i].name)
			}
		}
	}
	return names
}

// renewed notes that the server was asked to renew leases.
func (h *held) renewed(names []string, now time.Time) {
	done := make(map[string]bool, len(names))
	for _, name := range names {
		done[name] = true
	}
	for _, list := range h.tokens {
		for i := range list {
			if done[list[i].name] {
				list[i].renewed = now
			}
		}
	}
}
