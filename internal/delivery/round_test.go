package delivery

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// manyLanes is a store with work in many lanes, which says what was claimed and gives nothing.
type manyLanes struct {
	Store
	lanes   []Lane
	claimed []Share
}

func (m *manyLanes) Due(_ context.Context, after Lane, most int) (out []Lane, err error) {
	for _, l := range m.lanes {
		if l.Host > after.Host && len(out) < most {
			out = append(out, l)
		}
	}
	return out, nil
}

func (m *manyLanes) Claim(_ context.Context, _ string, _ time.Duration, shares []Share) ([]Claimed, error) {
	m.claimed = append(m.claimed, shares...)
	return nil, nil
}

// However many lanes lead to dead hosts, one round finds the lane behind them.
func TestARoundLooksBehindDeadHosts(t *testing.T) {
	t.Parallel()
	store := &manyLanes{}
	s := NewSender(SenderConfig{Store: store, NewID: func() string { return "t" }})
	for i := range 3*mostLanes + 7 {
		host := fmt.Sprintf("dead%05d", i)
		store.lanes = append(store.lanes, Lane{Team: "acme", Host: host})
		for range openAfter {
			s.hosts.begin(host)
			s.hosts.end(host, dead)
		}
	}
	store.lanes = append(store.lanes, Lane{Team: "acme", Host: "works"})
	if hungry := s.round(t.Context()); !hungry || len(store.claimed) != 1 || store.claimed[0].Lane.Host != "works" {
		t.Errorf("claimed was %v, want of the one host that works", store.claimed)
	}
	store.lanes = store.lanes[:len(store.lanes)-1]
	store.claimed = nil
	if s.round(t.Context()); len(store.claimed) != 0 {
		t.Errorf("claimed was %v of dead hosts", store.claimed)
	}
}
