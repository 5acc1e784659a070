// Package broadcasttest is the contract of broadcast.Broadcaster as tests: every broadcaster runs it and none is done before it passes.
//
// It is for tests alone. [Run] is the entry. What an outage does is tested beside the broadcaster that can have one.
package broadcasttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
)

// Run runs the contract. Fresh gives the broadcasters of two processes, which hear each other and nobody else; one process has the same twice.
func Run(t *testing.T, fresh func(t *testing.T) (one, other broadcast.Broadcaster)) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, one, other broadcast.Broadcaster)
	}{
		{"EveryProcessHears", everyProcessHears},
		{"ThisProcessHasHeardWhenPublishReturns", ownHearsAtOnce},
		{"OrderOfAPublisherIsKept", orderIsKept},
		{"EachMessageIsHeardOnce", heardOnce},
		{"TopicsNeverMix", topicsNeverMix},
		{"BytesAreKept", bytesAreKept},
		{"StoppedSubscriberHearsNothing", stopped},
		{"SubscribersAreToldApart", toldApart},
		{"WhatCannotBeSentIsRefused", refused},
		{"CancelledContextTellsNobody", cancelled},
		{"SubscriberMayPublish", mayPublish},
		{"OneThingAfterTheOther", oneAfterTheOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, other := fresh(t)
			c.test(t, one, other)
		})
	}
}

// Ear collects what a subscriber is told.
type Ear struct {
	mu sync.Mutex

	heard  []string
	missed int
}

// Subscriber gives the subscriber whose ear it is.
func (e *Ear) Subscriber() broadcast.Subscriber {
	return broadcast.Subscriber{
		Hear: func(p string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.heard = append(e.heard, p)
		},
		Missed: func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.missed++
		},
	}
}

// Heard gives what was heard so far.
func (e *Ear) Heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// Missed gives how often something may have been missed.
func (e *Ear) Missed() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.missed
}

// WaitFor waits until the ear has heard so many messages, for at most half a minute.
func (e *Ear) WaitFor(t *testing.T, n int) []string {
	t.Helper()
	Wait(t, fmt.Sprintf("%d messages are heard", n), func() bool { return len(e.Heard()) >= n })
	return e.Heard()
}

// Wait waits until something is so, for at most half a minute.
func Wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(end) {
			t.Fatalf("after half a minute it is not so that %s", what)
		}
		<-tick.C
	}
}

func publish(t *testing.T, b broadcast.Broadcaster, topic broadcast.Topic, payload string) {
	t.Helper()
	if err := b.Publish(t.Context(), topic, payload); err != nil {
		t.Fatalf("Publish(%s, %.40q) = %v", topic, payload, err)
	}
}

// listen gives an ear in a process.
func listen(b broadcast.Broadcaster, topic broadcast.Topic) *Ear {
	e := &Ear{}
	b.Subscribe(topic, e.Subscriber())
	return e
}

// settle publishes marks until both processes have heard one in each direction: what was published before them has been heard as well.
func settle(t *testing.T, one, other broadcast.Broadcaster, topic broadcast.Topic) {
	t.Helper()
	for _, way := range [][2]broadcast.Broadcaster{{one, other}, {other, one}} {
		ear := &Ear{}
		stop := way[1].Subscribe(topic, ear.Subscriber())
		publish(t, way[0], topic, "the end")
		Wait(t, "the mark is heard", func() bool { return slices.Contains(ear.Heard(), "the end") })
		stop()
	}
}

func everyProcessHears(t *testing.T, one, other broadcast.Broadcaster) {
	here, there := listen(one, broadcast.Keys), listen(other, broadcast.Keys)
	publish(t, one, broadcast.Keys, "k1")
	for _, e := range []*Ear{here, there} {
		if got := e.WaitFor(t, 1); got[0] != "k1" {
			t.Errorf("heard %q, want k1", got)
		}
	}
	publish(t, other, broadcast.Keys, "k2")
	for _, e := range []*Ear{here, there} {
		if got := e.WaitFor(t, 2); got[1] != "k2" {
			t.Errorf("heard %q, want k2", got)
		}
	}
	if !one.Hearing() || !other.Hearing() {
		t.Error("Hearing = false where messages are heard")
	}
}

func ownHearsAtOnce(t *testing.T, one, _ broadcast.Broadcaster) {
	ear := listen(one, broadcast.Cache)
	for n := range 100 {
		publish(t, one, broadcast.Cache, fmt.Sprint(n))
		if got := ear.Heard(); len(got) != n+1 {
			t.Fatalf("after %d messages this process has heard %d", n+1, len(got))
		}
	}
}

func orderIsKept(t *testing.T, one, other broadcast.Broadcaster) {
	ear := listen(other, broadcast.Jobs)
	const messages = 500
	for n := range messages {
		publish(t, one, broadcast.Jobs, fmt.Sprint(n))
	}
	for n, got := range ear.WaitFor(t, messages) {
		if got != fmt.Sprint(n) {
			t.Fatalf("message %d is %s", n, got)
		}
	}
}

func heardOnce(t *testing.T, one, other broadcast.Broadcaster) {
	here, there := listen(one, broadcast.Keys), listen(other, broadcast.Keys)
	var wg sync.WaitGroup
	const workers, each = 8, 50
	for w := range workers {
		wg.Go(func() {
			from := one
			if w%2 == 1 {
				from = other
			}
			for n := range each {
				if err := from.Publish(t.Context(), broadcast.Keys, fmt.Sprint(w, " ", n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	settle(t, one, other, broadcast.Keys)
	for _, e := range []*Ear{here, there} {
		counts := map[string]int{}
		for _, m := range e.Heard() {
			counts[m]++
		}
		delete(counts, "the end")
		if len(counts) != workers*each {
			t.Errorf("heard %d messages, want %d", len(counts), workers*each)
		}
		for m, n := range counts {
			if n != 1 {
				t.Errorf("message %s was heard %d times", m, n)
			}
		}
	}
}

func topicsNeverMix(t *testing.T, one, other broadcast.Broadcaster) {
	ears := map[broadcast.Topic]*Ear{}
	for _, topic := range broadcast.Topics() {
		ears[topic] = listen(other, topic)
	}
	for _, topic := range broadcast.Topics() {
		publish(t, one, topic, string(topic))
	}
	for topic, e := range ears {
		e.WaitFor(t, 1)
		settle(t, one, other, topic)
		got := slices.DeleteFunc(e.Heard(), func(m string) bool { return m == "the end" })
		if len(got) != 1 || got[0] != string(topic) {
			t.Errorf("subscribers of %s heard %q", topic, got)
		}
	}
}

func bytesAreKept(t *testing.T, one, other broadcast.Broadcaster) {
	ear := listen(other, broadcast.Schemas)
	payloads := []string{"", "a", "a b", "\x00", "a\x00b\r\n", "\xff\xfe", "ü{}%:", strings.Repeat("x", broadcast.MaxPayload)}
	for _, p := range payloads {
		publish(t, one, broadcast.Schemas, p)
	}
	for n, got := range ear.WaitFor(t, len(payloads)) {
		if got != payloads[n] {
			t.Errorf("heard %.40q of %d bytes, want %.40q of %d", got, len(got), payloads[n], len(payloads[n]))
		}
	}
}

func stopped(t *testing.T, one, other broadcast.Broadcaster) {
	ear, stays := &Ear{}, listen(other, broadcast.Keys)
	stop := other.Subscribe(broadcast.Keys, ear.Subscriber())
	publish(t, one, broadcast.Keys, "1")
	ear.WaitFor(t, 1)
	stop()
	stop()
	publish(t, one, broadcast.Keys, "2")
	stays.WaitFor(t, 2)
	settle(t, one, other, broadcast.Keys)
	if got := ear.Heard(); len(got) != 1 {
		t.Errorf("a subscriber that had stopped heard %q", got[1:])
	}
}

func toldApart(t *testing.T, one, _ broadcast.Broadcaster) {
	ear := &Ear{}
	s := ear.Subscriber()
	stop := one.Subscribe(broadcast.Keys, s)
	one.Subscribe(broadcast.Keys, s)
	publish(t, one, broadcast.Keys, "both")
	stop()
	publish(t, one, broadcast.Keys, "second")
	if got := ear.Heard(); !slices.Equal(got, []string{"both", "both", "second"}) {
		t.Errorf("heard %q, want both twice and second once", got)
	}
}

func refused(t *testing.T, one, _ broadcast.Broadcaster) {
	ear := listen(one, broadcast.Keys)
	if err := one.Publish(t.Context(), broadcast.Keys, strings.Repeat("x", broadcast.MaxPayload+1)); err == nil {
		t.Error("Publish of too many bytes = nil, want an error")
	}
	if err := one.Publish(t.Context(), "nosuch", "x"); err == nil {
		t.Error("Publish of an unknown topic = nil, want an error")
	}
	if got := ear.Heard(); len(got) > 0 {
		t.Errorf("what was refused was heard: %.40q", got)
	}
}

func cancelled(t *testing.T, one, _ broadcast.Broadcaster) {
	ear := listen(one, broadcast.Keys)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := one.Publish(gone, broadcast.Keys, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with a cancelled context = %v, want context.Canceled", err)
	}
	if got := ear.Heard(); len(got) > 0 {
		t.Errorf("a message of a cancelled call was heard: %q", got)
	}
}

func mayPublish(t *testing.T, one, other broadcast.Broadcaster) {
	ear := listen(one, broadcast.Schemas)
	other.Subscribe(broadcast.Keys, broadcast.Subscriber{Hear: func(p string) {
		if err := other.Publish(context.Background(), broadcast.Schemas, "because of "+p); err != nil {
			t.Error(err)
		}
	}})
	publish(t, one, broadcast.Keys, "k")
	if got := ear.WaitFor(t, 1); got[0] != "because of k" {
		t.Errorf("heard %q", got)
	}
}

func oneAfterTheOther(t *testing.T, one, other broadcast.Broadcaster) {
	var inside, heard int
	var mu sync.Mutex
	other.Subscribe(broadcast.Jobs, broadcast.Subscriber{Hear: func(string) {
		mu.Lock()
		inside++
		if inside > 1 {
			t.Error("a subscriber was told two things at once")
		}
		heard++
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		inside--
		mu.Unlock()
	}})
	var wg sync.WaitGroup
	for _, from := range []broadcast.Broadcaster{one, other, one, other} {
		wg.Go(func() {
			for range 100 {
				if err := from.Publish(t.Context(), broadcast.Jobs, "j"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	Wait(t, "all is heard", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard == 400
	})
}
