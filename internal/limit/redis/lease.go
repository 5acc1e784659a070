package redis

import (
	"slices"
	"sync"
	"time"
)

// mostGiven bounds the leases that one call gives up beside what it does; Run gives up the others.
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
	// given are tokens that are no longer held, and that the server may have, or may yet get: it did not answer. They stay until they have lapsed there.
	given []token
}

// token is a lease's name, and when it was last sure to be renewed.
type token struct {
	name    string
	renewed time.Time
	// told says that the server was asked once to forget one that is given up.
	told bool
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
	h.tokens[worth] = append(h.tokens[worth], token{name: name, renewed: time.Now()})
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
		h.given = append(h.given, token{name: name, renewed: time.Now()})
	}
}

// given lists leases that are to be given up and that the server was not asked about; from now on it was.
func (l *leases) given(key string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.keys[key]
	if h == nil {
		return nil
	}
	for i := range h.given {
		if t := &h.given[i]; !t.told && len(names) < mostGiven {
			t.told = true
			names = append(names, t.name)
		}
	}
	return names
}

// untold takes back that the server was asked about leases: nobody knows whether it was.
func (l *leases) untold(key string, names []string) {
	if len(names) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.keys[key]; h != nil {
		for i := range h.given {
			if t := &h.given[i]; slices.Contains(names, t.name) {
				t.told = false
			}
		}
	}
}

// allGiven lists all leases that are to be given up, by key.
func (l *leases) allGiven() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]string{}
	for key, h := range l.keys {
		for _, t := range h.given {
			all[key] = append(all[key], t.name)
		}
	}
	return all
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
