package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Deliveries are what webhooks are to their consumers.
type Deliveries interface {
	delivery.Store
	delivery.Registry
	delivery.Log
}

// RunDeliveries runs the contracts of deliveries alone, for a store that keeps nothing else.
func RunDeliveries(t *testing.T, open Open) {
	t.Helper()
	for _, test := range deliveryContracts() {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			clock := &Clock{}
			clock.Set(start())
			test.run(t, open(t, clock.Now), clock)
		})
	}
}

func deliveryContracts() []contract {
	return []contract{
		{"an endpoint is kept as it was", endpointKept},
		{"a list of endpoints is read in pages", endpointPages},
		{"endpoints of other teams do not exist", endpointReach},
		{"a team has a bounded number of endpoints", endpointsBounded},
		{"a rotation keeps the secret before", endpointRotated},
		{"a change changes what it names", endpointChanged},
		{"who subscribes is told", deliverySubscribed},
		{"who was not there when it happened is not told", deliveryLater},
		{"a message is delivered once to a target", deliveryOnce},
		{"a cursor moves on and never back", deliveryCursor},
		{"a delivery is with one at a time", deliveryClaimed},
		{"of many at once each delivery goes to one", deliveryRace},
		{"a lease ends unless it is renewed", deliveryLease},
		{"only the token writes", deliveryToken},
		{"a claim brings what is needed", deliveryClaimBrings},
		{"lanes take turns", deliveryLanes},
		{"what became of an attempt is kept", deliveryRecorded},
		{"a retry waits", deliveryRetry},
		{"410 disables the endpoint that answered it", deliveryGone},
		{"what is pending follows its endpoint", deliveryFollows},
		{"a replay is the same message again", deliveryReplay},
		{"a replay leaves a sender what it has in hand", deliveryReplayLeased},
		{"the log is read in pages and by filter", deliveryPages},
		{"deliveries of other teams do not exist", deliveryReach},
		{"what is too old fails", deliveryExpired},
		{"what ended long ago is deleted with its attempts", deliveryForgotten},
		{"strange texts are kept", deliveryStrange},
		{"a cancelled call changes nothing", deliveryCancelled},
	}
}

const token = "token-1"

func sampleSecret(n byte) delivery.Secret {
	s, err := delivery.NewSecret(strings.NewReader(strings.Repeat(string(rune('a'+n)), 32)))
	if err != nil {
		panic(err)
	}
	return s
}

func endpointID(n int) delivery.EndpointID { return delivery.EndpointID(fmt.Sprintf("wh_%032x", n)) }

func sampleEndpoint(clock *Clock, n int, events ...delivery.Event) delivery.Endpoint {
	return delivery.Endpoint{
		ID: endpointID(n), Team: "acme", URL: fmt.Sprintf("https://h%d.example.com/hooks?a=1", n), Events: events,
		Secret: sampleSecret(0), CreatedAt: micro(clock.Now()), UpdatedAt: micro(clock.Now()),
	}
}

func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// endpoint keeps a sample.
func endpoint(t *testing.T, s Stores, clock *Clock, n int, events ...delivery.Event) delivery.Endpoint {
	t.Helper()
	e := sampleEndpoint(clock, n, events...)
	must(t, s.Deliveries.AddEndpoint(t.Context(), e))
	return e
}

func sampleMessage(clock *Clock, n int, event delivery.Event) delivery.Message {
	return delivery.JobMessage("acme", fmt.Sprintf("0199f3c2-a4b1-7c5e-9d3e-%012x", n), event, 1, micro(clock.Now()))
}

// announce makes deliveries of messages.
func announce(t *testing.T, s Stores, list ...delivery.Message) int {
	t.Helper()
	made, err := s.Deliveries.Announce(t.Context(), "test", 1, list)
	must(t, err)
	return made
}

// claim takes all that is due.
func claim(t *testing.T, s Stores, by string) []delivery.Claimed {
	t.Helper()
	lanes, err := s.Deliveries.Due(t.Context(), delivery.Lane{}, 100)
	must(t, err)
	shares := make([]delivery.Share, 0, len(lanes))
	for _, l := range lanes {
		shares = append(shares, delivery.Share{Lane: l, Most: 100})
	}
	taken, err := s.Deliveries.Claim(t.Context(), by, lease, shares)
	must(t, err)
	return taken
}

func claimOne(t *testing.T, s Stores, by string) delivery.Claimed {
	t.Helper()
	taken := claim(t, s, by)
	if len(taken) != 1 {
		t.Fatalf("%d deliveries were taken, want 1", len(taken))
	}
	return taken[0]
}

// secrets compares by what they are.
func secrets() cmp.Option {
	return cmp.Transformer("secret", func(s delivery.Secret) string { return s.Reveal() })
}

func wantEndpoint(t *testing.T, s Stores, want delivery.Endpoint) {
	t.Helper()
	got, err := s.Deliveries.Endpoint(t.Context(), key.OfTeam(want.Team), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got, secrets()); diff != "" {
		t.Errorf("the endpoint differs (-want +got):\n%s", diff)
	}
}

func endpointKept(t *testing.T, s Stores, clock *Clock) {
	for i, events := range [][]delivery.Event{nil, {delivery.JobFailed}, delivery.Events()} {
		e := sampleEndpoint(clock, i, events...)
		if i == 2 {
			e.Previous, e.PreviousUntil = sampleSecret(1), micro(clock.Now().Add(time.Hour))
			e.DisabledAt, e.DisabledWhy = micro(clock.Now()), delivery.DisabledByTarget
		}
		must(t, s.Deliveries.AddEndpoint(t.Context(), e))
		wantEndpoint(t, s, e)
	}
}

func endpointPages(t *testing.T, s Stores, clock *Clock) {
	for i := range 5 {
		endpoint(t, s, clock, i)
	}
	var got []delivery.EndpointID
	after, pages := delivery.Cursor(""), 0
	for {
		list, next, err := s.Deliveries.Endpoints(t.Context(), key.OfTeam("acme"), 2, after)
		must(t, err)
		for _, e := range list {
			got = append(got, e.ID)
		}
		if pages++; next == "" {
			break
		}
		after = next
	}
	want := []delivery.EndpointID{endpointID(4), endpointID(3), endpointID(2), endpointID(1), endpointID(0)}
	if pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages: got %v, want %v in 3", pages, got, want)
	}
	all, _, err := s.Deliveries.Endpoints(t.Context(), key.AllTeams(), 10, "")
	must(t, err)
	if len(all) != 5 {
		t.Errorf("all teams have %d endpoints, want 5", len(all))
	}
}

func endpointReach(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	beta := key.OfTeam("beta")
	_, err := s.Deliveries.Endpoint(t.Context(), beta, e.ID)
	wantCode(t, "Endpoint", err, fault.NotFound)
	_, err = s.Deliveries.ChangeEndpoint(t.Context(), beta, e.ID, delivery.Change{URL: &e.URL}, clock.Now())
	wantCode(t, "ChangeEndpoint", err, fault.NotFound)
	_, err = s.Deliveries.RotateSecret(t.Context(), beta, e.ID, sampleSecret(1), clock.Now(), clock.Now())
	wantCode(t, "RotateSecret", err, fault.NotFound)
	wantCode(t, "DeleteEndpoint", s.Deliveries.DeleteEndpoint(t.Context(), beta, e.ID), fault.NotFound)
	list, _, err := s.Deliveries.Endpoints(t.Context(), beta, 10, "")
	must(t, err)
	if list == nil || len(list) != 0 {
		t.Errorf("another team's list: got %#v, want an empty one", list)
	}
	wantEndpoint(t, s, e)
	must(t, s.Deliveries.DeleteEndpoint(t.Context(), key.OfTeam("acme"), e.ID))
	_, err = s.Deliveries.Endpoint(t.Context(), key.AllTeams(), e.ID)
	wantCode(t, "Endpoint after its end", err, fault.NotFound)
}

func endpointsBounded(t *testing.T, s Stores, clock *Clock) {
	for i := range delivery.MostEndpoints {
		endpoint(t, s, clock, i)
	}
	wantCode(t, "one more", s.Deliveries.AddEndpoint(t.Context(), sampleEndpoint(clock, 1000)), fault.Conflict)
	other := sampleEndpoint(clock, 1001)
	other.Team = "beta"
	must(t, s.Deliveries.AddEndpoint(t.Context(), other))
}

func endpointRotated(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	clock.Advance(time.Minute)
	until, at := micro(clock.Now().Add(time.Hour)), micro(clock.Now())
	got, err := s.Deliveries.RotateSecret(t.Context(), key.OfTeam("acme"), e.ID, sampleSecret(1), until, at)
	must(t, err)
	e.Previous, e.Secret, e.PreviousUntil, e.UpdatedAt = e.Secret, sampleSecret(1), until, at
	if diff := cmp.Diff(e, got, secrets()); diff != "" {
		t.Errorf("the rotated endpoint differs (-want +got):\n%s", diff)
	}
	wantEndpoint(t, s, e)
}

func endpointChanged(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1, delivery.JobFailed)
	change := func(c delivery.Change) {
		clock.Advance(time.Second)
		_, err := s.Deliveries.ChangeEndpoint(t.Context(), key.OfTeam("acme"), e.ID, c, micro(clock.Now()))
		must(t, err)
		c.Apply(&e, micro(clock.Now()))
		wantEndpoint(t, s, e)
	}
	url, events, yes, no := "https://other.example.com/x", []delivery.Event{delivery.JobExpired, delivery.BudgetAlert}, true, false
	change(delivery.Change{URL: &url})
	change(delivery.Change{Events: &events})
	change(delivery.Change{Enabled: &no})
	if e.DisabledAt.IsZero() {
		t.Error("a disabled endpoint says no time")
	}
	change(delivery.Change{Enabled: &yes})
	none := []delivery.Event(nil)
	change(delivery.Change{Events: &none})
}

func deliverySubscribed(t *testing.T, s Stores, clock *Clock) {
	all := endpoint(t, s, clock, 1)
	failed := endpoint(t, s, clock, 2, delivery.JobFailed, delivery.JobCompleted)
	endpoint(t, s, clock, 3, delivery.JobCompletedWithErrors)
	off := endpoint(t, s, clock, 4)
	no := false
	_, err := s.Deliveries.ChangeEndpoint(t.Context(), key.AllTeams(), off.ID, delivery.Change{Enabled: &no}, clock.Now())
	must(t, err)
	other := sampleEndpoint(clock, 5)
	other.Team = "beta"
	must(t, s.Deliveries.AddEndpoint(t.Context(), other))
	if made := announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted)); made != 2 {
		t.Errorf("%d deliveries were made, want 2", made)
	}
	var told []delivery.EndpointID
	for _, c := range claim(t, s, token) {
		told = append(told, c.Endpoint)
	}
	slices.Sort(told)
	if want := []delivery.EndpointID{all.ID, failed.ID}; !slices.Equal(told, want) {
		t.Errorf("told were %v, want %v", told, want)
	}
}

func deliveryLater(t *testing.T, s Stores, clock *Clock) {
	m := sampleMessage(clock, 1, delivery.BudgetAlert)
	clock.Advance(time.Microsecond)
	endpoint(t, s, clock, 1)
	if made := announce(t, s, m); made != 0 {
		t.Errorf("%d deliveries were made of what happened before the endpoint was there, want 0", made)
	}
}

func deliveryOnce(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	m := sampleMessage(clock, 1, delivery.JobCompleted)
	if made := announce(t, s, m, m) + announce(t, s, m); made != 1 {
		t.Errorf("%d deliveries were made of one message to one target, want 1", made)
	}
	endpoint(t, s, clock, 2)
	if made := announce(t, s, m); made != 1 {
		t.Errorf("%d deliveries were made for another target, want 1", made)
	}
	var made sync.Map
	must(t, together(8, func(i int) error {
		n, err := s.Deliveries.Announce(context.Background(), "test", 1, []delivery.Message{sampleMessage(clock, 2, delivery.JobFailed)})
		made.Store(i, n)
		return err
	}))
	sum := 0
	made.Range(func(_, n any) bool { sum += n.(int); return true })
	if sum != 2 {
		t.Errorf("8 at once made %d deliveries to 2 targets, want 2", sum)
	}
}

func deliveryCursor(t *testing.T, s Stores, _ *Clock) {
	want := func(name string, n int64) {
		t.Helper()
		got, err := s.Deliveries.Cursor(t.Context(), name)
		must(t, err)
		if got != n {
			t.Errorf("the cursor %s is %d, want %d", name, got, n)
		}
	}
	want("a", 0)
	for _, to := range []int64{5, 7, 6} {
		_, err := s.Deliveries.Announce(t.Context(), "a", to, nil)
		must(t, err)
	}
	want("a", 7)
	want("b", 0)
}

func deliveryClaimed(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	first := claimOne(t, s, token)
	if again := claim(t, s, "token-2"); len(again) != 0 {
		t.Errorf("a delivery that is with one was taken by another: %v", again)
	}
	clock.Advance(lease)
	if second := claimOne(t, s, "token-2"); second.ID != first.ID {
		t.Errorf("after the lease %s was taken, want %s", second.ID, first.ID)
	}
}

func deliveryRace(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	var list []delivery.Message
	for i := range 40 {
		list = append(list, sampleMessage(clock, i, delivery.JobCompleted))
	}
	announce(t, s, list...)
	lanes, err := s.Deliveries.Due(t.Context(), delivery.Lane{}, 10)
	must(t, err)
	var taken sync.Map
	must(t, together(8, func(i int) error {
		for {
			got, err := s.Deliveries.Claim(context.Background(), fmt.Sprint("t", i), lease, []delivery.Share{{Lane: lanes[0], Most: 3}})
			if err != nil || len(got) == 0 {
				return err
			}
			for _, c := range got {
				if _, twice := taken.LoadOrStore(c.ID, i); twice {
					return fmt.Errorf("%s was taken twice", c.ID)
				}
			}
		}
	}))
	n := 0
	taken.Range(func(any, any) bool { n++; return true })
	if n == 0 || n > 40 {
		t.Errorf("%d deliveries were taken of 40", n)
	}
	if rest := len(claim(t, s, token)); n+rest != 40 {
		t.Errorf("%d were taken at once and %d later, want 40 together", n, rest)
	}
}

func deliveryLease(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	renew := func(by string, want ...delivery.ID) {
		t.Helper()
		lost, err := s.Deliveries.Renew(t.Context(), by, []delivery.ID{c.ID}, lease)
		must(t, err)
		if !slices.Equal(lost, want) {
			t.Errorf("the renewal by %s lost %v, want %v", by, lost, want)
		}
	}
	clock.Advance(lease - time.Second)
	renew(token)
	clock.Advance(lease - time.Second)
	if got := claim(t, s, "token-2"); len(got) != 0 {
		t.Errorf("a renewed lease was taken over: %v", got)
	}
	clock.Advance(time.Second)
	claimOne(t, s, "token-2")
	renew(token, c.ID)
	renew("token-2")
}

func deliveryToken(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	lost := func(by string) {
		t.Helper()
		done := delivery.Result{Attempt: &delivery.Attempt{At: clock.Now()}, Status: delivery.Delivered}
		for what, err := range map[string]error{
			"Keep": s.Deliveries.Keep(t.Context(), by, c.ID, []byte("of "+by)), "Record": s.Deliveries.Record(t.Context(), by, c.ID, done),
		} {
			if !errors.Is(err, delivery.ErrLeaseLost) {
				t.Errorf("%s by %q: got the error %v, want ErrLeaseLost", what, by, err)
			}
		}
	}
	lost("token-2")
	lost("")
	must(t, s.Deliveries.Keep(t.Context(), token, c.ID, []byte("x")))
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Status: delivery.Pending, Again: 0, Error: delivery.ErrorStatus}))
	lost(token)
	lost("")
	clock.Advance(time.Microsecond)
	second := claimOne(t, s, "token-3")
	if string(second.Message.Payload) != "x" {
		t.Errorf("the payload is %q, want x", second.Message.Payload)
	}
	lost(token)
	must(t, s.Deliveries.Record(t.Context(), "token-3", c.ID, delivery.Result{Status: delivery.Delivered}))
	lost("token-3")
}

func deliveryClaimBrings(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	m := sampleMessage(clock, 1, delivery.JobCompleted)
	m.Trace, m.Payload = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", []byte{'{', 0, 255, '}'}
	announce(t, s, m)
	_, err := s.Deliveries.RotateSecret(t.Context(), key.AllTeams(), e.ID, sampleSecret(1), clock.Now().Add(time.Hour), clock.Now())
	must(t, err)
	clock.Advance(time.Minute)
	got := claimOne(t, s, token)
	if got.ID == "" {
		t.Error("the delivery has no id")
	}
	want := delivery.Claimed{ID: got.ID, Message: m, Endpoint: e.ID, URL: e.URL, Secrets: []delivery.Secret{sampleSecret(1), sampleSecret(0)}, Age: time.Minute}
	if diff := cmp.Diff(want, got, secrets()); diff != "" {
		t.Errorf("the claim differs (-want +got):\n%s", diff)
	}
	clock.Advance(time.Hour)
	if got := claimOne(t, s, token); len(got.Secrets) != 1 {
		t.Errorf("after the overlap %d secrets sign, want 1", len(got.Secrets))
	}
	must(t, s.Deliveries.DeleteEndpoint(t.Context(), key.AllTeams(), e.ID))
	clock.Advance(time.Hour)
	if got := claimOne(t, s, token); got.Missing != delivery.ErrorDeleted {
		t.Errorf("the endpoint was deleted: the claim says %q, want %q", got.Missing, delivery.ErrorDeleted)
	}
}

func deliveryLanes(t *testing.T, s Stores, clock *Clock) {
	var list []delivery.Message
	for i := range 3 {
		endpoint(t, s, clock, i)
		list = append(list, sampleMessage(clock, i, delivery.JobCompleted))
	}
	announce(t, s, list...)
	due := func(after delivery.Lane, most int, want ...string) []delivery.Lane {
		t.Helper()
		lanes, err := s.Deliveries.Due(t.Context(), after, most)
		must(t, err)
		var hosts []string
		for _, l := range lanes {
			hosts = append(hosts, l.Host)
		}
		if !slices.Equal(hosts, want) {
			t.Errorf("due behind %v are %v, want %v", after, hosts, want)
		}
		return lanes
	}
	lanes := due(delivery.Lane{}, 2, "h0.example.com:443", "h1.example.com:443")
	due(lanes[1], 2, "h2.example.com:443")
	shares := []delivery.Share{{Lane: lanes[0], Most: 2}, {Lane: lanes[1], Most: 1}}
	taken, err := s.Deliveries.Claim(t.Context(), token, lease, shares)
	must(t, err)
	if len(taken) != 3 {
		t.Errorf("%d deliveries were taken, want 2 and 1", len(taken))
	}
	taken, err = s.Deliveries.Claim(t.Context(), "token-2", lease, []delivery.Share{{Lane: lanes[0], Most: 5}})
	must(t, err)
	if len(taken) != 1 {
		t.Errorf("%d more deliveries were taken, want 1", len(taken))
	}
	due(delivery.Lane{}, 5, "h1.example.com:443", "h2.example.com:443")
	nothing, err := s.Deliveries.Claim(t.Context(), token, lease, nil)
	must(t, err)
	if len(nothing) != 0 {
		t.Errorf("a claim of nothing took %v", nothing)
	}
}

func sampleAttempt(clock *Clock, status int) *delivery.Attempt {
	return &delivery.Attempt{
		At: micro(clock.Now()), URL: "https://h1.example.com/hooks?a=1", Took: 1234 * time.Microsecond, Status: status, Error: delivery.ErrorStatus,
		Detail: "answered with a status", Answer: "no 🙂",
	}
}

func deliveryRecorded(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	m := sampleMessage(clock, 1, delivery.JobCompleted)
	announce(t, s, m)
	made := micro(clock.Now())
	clock.Advance(time.Second)
	c := claimOne(t, s, token)
	failed := sampleAttempt(clock, 500)
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Attempt: failed, Status: delivery.Pending, Error: delivery.ErrorStatus, Again: time.Minute}))
	want := delivery.Delivery{
		ID: c.ID, Message: m.ID, Team: "acme", Event: delivery.JobCompleted, Job: m.Job, Endpoint: e.ID, URL: e.URL, Status: delivery.Pending, Attempts: 1,
		LastStatus: 500, LastError: delivery.ErrorStatus, At: m.At, CreatedAt: made, NextAt: micro(clock.Now().Add(time.Minute)),
	}
	failed.N = 1
	wantDelivery(t, s, want, *failed)

	clock.Advance(time.Minute)
	if again := claimOne(t, s, token); again.Attempts != 1 || again.Tries != 1 {
		t.Errorf("after an attempt the claim counts %d and %d, want 1 and 1", again.Attempts, again.Tries)
	}
	lost := &delivery.Attempt{At: micro(clock.Now()), URL: e.URL, Error: delivery.ErrorDNS, Detail: "no such host"}
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Attempt: lost, Status: delivery.Failed, Error: delivery.ErrorDNS}))
	want.Attempts, want.Status, want.LastError, want.NextAt, want.EndedAt = 2, delivery.Failed, delivery.ErrorDNS, time.Time{}, micro(clock.Now())
	lost.N = 2
	wantDelivery(t, s, want, *failed, *lost)
	clock.Advance(24 * time.Hour)
	if taken := claim(t, s, token); len(taken) != 0 {
		t.Errorf("what had failed was taken again: %v", taken)
	}
}

func wantDelivery(t *testing.T, s Stores, want delivery.Delivery, attempts ...delivery.Attempt) {
	t.Helper()
	got, tries, err := s.Deliveries.Delivery(t.Context(), key.OfTeam(want.Team), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the delivery differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append([]delivery.Attempt{}, attempts...), tries); diff != "" {
		t.Errorf("its attempts differ (-want +got):\n%s", diff)
	}
}

func deliveryRetry(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Status: delivery.Pending, Again: time.Hour}))
	clock.Advance(time.Hour - time.Microsecond)
	if got := claim(t, s, token); len(got) != 0 {
		t.Errorf("it was taken before its time: %v", got)
	}
	clock.Advance(time.Microsecond)
	if got := claimOne(t, s, token); got.Attempts != 0 || got.Age != time.Hour {
		t.Errorf("without an attempt: got %d attempts at an age of %v, want 0 at 1h", got.Attempts, got.Age)
	}
}

func deliveryGone(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted), sampleMessage(clock, 2, delivery.JobCompleted))
	taken := claim(t, s, token)
	stale := sampleAttempt(clock, 410)
	stale.URL = "https://before.example.com/"
	gone := delivery.Result{Attempt: stale, Status: delivery.Failed, Error: delivery.ErrorGone, Disable: true}
	must(t, s.Deliveries.Record(t.Context(), token, taken[0].ID, gone))
	wantEndpoint(t, s, e)
	gone.Attempt = sampleAttempt(clock, 410)
	must(t, s.Deliveries.Record(t.Context(), token, taken[1].ID, gone))
	e.DisabledAt, e.DisabledWhy, e.UpdatedAt = micro(clock.Now()), delivery.DisabledByTarget, micro(clock.Now())
	wantEndpoint(t, s, e)
	if made := announce(t, s, sampleMessage(clock, 3, delivery.JobCompleted)); made != 0 {
		t.Errorf("%d deliveries were made for a disabled endpoint, want 0", made)
	}
	_, err := s.Deliveries.Redeliver(t.Context(), key.AllTeams(), taken[0].ID)
	must(t, err)
	if got := claimOne(t, s, token); got.Missing != delivery.ErrorDisabled {
		t.Errorf("the endpoint is disabled: the claim says %q, want %q", got.Missing, delivery.ErrorDisabled)
	}
}

func deliveryFollows(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	url := "https://elsewhere.example.com:8443/x"
	_, err := s.Deliveries.ChangeEndpoint(t.Context(), key.AllTeams(), e.ID, delivery.Change{URL: &url}, clock.Now())
	must(t, err)
	lanes, err := s.Deliveries.Due(t.Context(), delivery.Lane{}, 10)
	must(t, err)
	if want := []delivery.Lane{{Team: "acme", Host: "elsewhere.example.com:8443"}}; !slices.Equal(lanes, want) {
		t.Errorf("due are %v, want %v", lanes, want)
	}
	c := claimOne(t, s, token)
	if c.URL != url {
		t.Errorf("it goes to %s, want %s", c.URL, url)
	}
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Status: delivery.Failed}))
	third := "https://third.example.com/"
	_, err = s.Deliveries.ChangeEndpoint(t.Context(), key.AllTeams(), e.ID, delivery.Change{URL: &third}, clock.Now())
	must(t, err)
	_, err = s.Deliveries.Redeliver(t.Context(), key.AllTeams(), c.ID)
	must(t, err)
	lanes, err = s.Deliveries.Due(t.Context(), delivery.Lane{}, 10)
	must(t, err)
	if want := []delivery.Lane{{Team: "acme", Host: "third.example.com:443"}}; !slices.Equal(lanes, want) {
		t.Errorf("a replay is due in %v, want %v", lanes, want)
	}
}

func deliveryReplay(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	first := claimOne(t, s, token)
	must(t, s.Deliveries.Keep(t.Context(), token, first.ID, []byte(`{"a":1}`)))
	must(t, s.Deliveries.Record(t.Context(), token, first.ID, delivery.Result{Attempt: sampleAttempt(clock, 200), Status: delivery.Delivered}))
	clock.Advance(48 * time.Hour)
	got, err := s.Deliveries.Redeliver(t.Context(), key.OfTeam("acme"), first.ID)
	must(t, err)
	if got.Status != delivery.Pending || !got.NextAt.Equal(micro(clock.Now())) || !got.EndedAt.IsZero() || got.Attempts != 1 {
		t.Errorf("a replay is %+v, want pending, due now, not ended, with its attempt", got)
	}
	second := claimOne(t, s, token)
	if second.Message.ID != first.Message.ID || string(second.Message.Payload) != `{"a":1}` || second.Age != 0 || second.Tries != 0 || second.Attempts != 1 {
		t.Errorf("the replay is %+v, want the same message with the same payload, new", second)
	}
	must(t, s.Deliveries.Record(t.Context(), token, first.ID, delivery.Result{Status: delivery.Pending, Again: time.Hour}))
	got, err = s.Deliveries.Redeliver(t.Context(), key.OfTeam("acme"), first.ID)
	must(t, err)
	if !got.NextAt.Equal(micro(clock.Now())) {
		t.Errorf("what waits and is replayed is due at %v, want now", got.NextAt)
	}
	_, err = s.Deliveries.Redeliver(t.Context(), key.OfTeam("beta"), first.ID)
	wantCode(t, "Redeliver by another team", err, fault.NotFound)
}

func deliveryReplayLeased(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	_, err := s.Deliveries.Redeliver(t.Context(), key.AllTeams(), c.ID)
	must(t, err)
	if got := claim(t, s, "token-2"); len(got) != 0 {
		t.Errorf("what is being sent was taken for a replay: %v", got)
	}
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Status: delivery.Delivered}))
}

func deliveryPages(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	endpoint(t, s, clock, 2, delivery.JobFailed)
	for i := range 5 {
		announce(t, s, sampleMessage(clock, i, delivery.JobCompleted))
		if i%2 == 0 { // Some are made at the same time.
			clock.Advance(time.Second)
		}
	}
	announce(t, s, sampleMessage(clock, 9, delivery.JobFailed))
	read := func(f delivery.Filter) (ids []delivery.ID) {
		t.Helper()
		seen := map[delivery.ID]bool{}
		last := time.Unix(1<<40, 0)
		for f.Limit = 2; ; {
			list, next, err := s.Deliveries.Deliveries(t.Context(), key.OfTeam("acme"), f)
			must(t, err)
			for _, d := range list {
				if seen[d.ID] || d.CreatedAt.After(last) {
					t.Errorf("%+v: %s comes twice or out of order", f, d.ID)
				}
				seen[d.ID], last = true, d.CreatedAt
				ids = append(ids, d.ID)
			}
			if next == "" {
				return ids
			}
			f.After = next
		}
	}
	done := claim(t, s, token)[0]
	must(t, s.Deliveries.Record(t.Context(), token, done.ID, delivery.Result{Status: delivery.Delivered}))
	for _, c := range []struct {
		f    delivery.Filter
		want int
	}{
		{delivery.Filter{}, 7},
		{delivery.Filter{Endpoint: e.ID}, 6},
		{delivery.Filter{Event: delivery.JobFailed}, 2},
		{delivery.Filter{Job: sampleMessage(clock, 3, delivery.JobCompleted).Job}, 1},
		{delivery.Filter{Job: "another"}, 0},
		{delivery.Filter{Status: delivery.Delivered}, 1},
		{delivery.Filter{Status: delivery.Pending, Endpoint: e.ID, Event: delivery.JobFailed}, 1},
	} {
		if got := read(c.f); len(got) != c.want {
			t.Errorf("%+v gives %d deliveries, want %d", c.f, len(got), c.want)
		}
	}
	for _, bad := range []delivery.Cursor{"x", "1", "-", "x-y", "1-"} {
		_, _, err := s.Deliveries.Deliveries(t.Context(), key.OfTeam("acme"), delivery.Filter{Limit: 1, After: bad})
		wantCode(t, "the cursor "+string(bad), err, fault.InvalidRequest)
	}
}

func deliveryReach(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	_, _, err := s.Deliveries.Delivery(t.Context(), key.OfTeam("beta"), c.ID)
	wantCode(t, "Delivery", err, fault.NotFound)
	list, _, err := s.Deliveries.Deliveries(t.Context(), key.OfTeam("beta"), delivery.Filter{Limit: 10})
	must(t, err)
	if list == nil || len(list) != 0 {
		t.Errorf("another team's list: got %#v, want an empty one", list)
	}
	_, _, err = s.Deliveries.Delivery(t.Context(), key.OfTeam("acme"), "dlv_0")
	wantCode(t, "a delivery that is not there", err, fault.NotFound)
}

func deliveryExpired(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted), sampleMessage(clock, 2, delivery.JobCompleted), sampleMessage(clock, 3, delivery.JobCompleted))
	sweep := func(want int) {
		t.Helper()
		failed, deleted, err := s.Deliveries.Sweep(t.Context(), 24*time.Hour, 48*time.Hour, 2)
		must(t, err)
		if failed != want || deleted != 0 {
			t.Errorf("a sweep failed %d and deleted %d, want %d and 0", failed, deleted, want)
		}
	}
	clock.Advance(24*time.Hour - time.Microsecond)
	sweep(0)
	lanes, err := s.Deliveries.Due(t.Context(), delivery.Lane{}, 10)
	must(t, err)
	held, err := s.Deliveries.Claim(t.Context(), token, lease, []delivery.Share{{Lane: lanes[0], Most: 1}})
	must(t, err)
	clock.Advance(time.Microsecond)
	sweep(2)
	sweep(0)
	must(t, s.Deliveries.Record(t.Context(), token, held[0].ID, delivery.Result{Status: delivery.Delivered}))
	list, _, err := s.Deliveries.Deliveries(t.Context(), key.AllTeams(), delivery.Filter{Limit: 10, Status: delivery.Failed})
	must(t, err)
	for _, d := range list {
		if d.LastError != delivery.ErrorAge || !d.EndedAt.Equal(micro(clock.Now())) {
			t.Errorf("what was too old is %+v, want max_age, ended now", d)
		}
	}
}

func deliveryForgotten(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	const all = 5
	for i := range all {
		announce(t, s, sampleMessage(clock, i, delivery.JobCompleted))
	}
	taken := claim(t, s, token)
	for _, c := range taken[1:] {
		must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Attempt: sampleAttempt(clock, 200), Status: delivery.Delivered}))
	}
	clock.Advance(time.Hour)
	for _, want := range []int{3, 1, 0} {
		_, deleted, err := s.Deliveries.Sweep(t.Context(), 24*time.Hour, time.Hour, 3)
		must(t, err)
		if deleted != want {
			t.Errorf("a sweep deleted %d, want %d", deleted, want)
		}
	}
	list, _, err := s.Deliveries.Deliveries(t.Context(), key.AllTeams(), delivery.Filter{Limit: 10})
	must(t, err)
	if len(list) != 1 || list[0].ID != taken[0].ID {
		t.Errorf("left are %v, want what is pending alone", list)
	}
	_, _, err = s.Deliveries.Delivery(t.Context(), key.AllTeams(), taken[1].ID)
	wantCode(t, "what was deleted", err, fault.NotFound)
}

func deliveryStrange(t *testing.T, s Stores, clock *Clock) {
	endpoint(t, s, clock, 1)
	for i, text := range strange() {
		announce(t, s, sampleMessage(clock, i, delivery.JobCompleted))
		c := claimOne(t, s, token)
		a := delivery.Attempt{At: micro(clock.Now()), URL: "https://h1.example.com/" + text, Error: delivery.ErrorKind(text), Detail: text, Answer: text, N: 1}
		must(t, s.Deliveries.Keep(t.Context(), token, c.ID, []byte(text+"x")))
		must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Attempt: &a, Status: delivery.Delivered}))
		_, got, err := s.Deliveries.Delivery(t.Context(), key.AllTeams(), c.ID)
		must(t, err)
		if diff := cmp.Diff([]delivery.Attempt{a}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func deliveryCancelled(t *testing.T, s Stores, clock *Clock) {
	e := endpoint(t, s, clock, 1)
	announce(t, s, sampleMessage(clock, 1, delivery.JobCompleted))
	c := claimOne(t, s, token)
	ctx := cancelled()
	all := key.AllTeams()
	_, err := s.Deliveries.Announce(ctx, "test", 9, []delivery.Message{sampleMessage(clock, 2, delivery.JobCompleted)})
	wantCancelled(t, "Announce", err)
	_, err = s.Deliveries.Claim(ctx, token, lease, []delivery.Share{{Most: 1}})
	wantCancelled(t, "Claim", err)
	_, err = s.Deliveries.Renew(ctx, token, []delivery.ID{c.ID}, lease)
	wantCancelled(t, "Renew", err)
	wantCancelled(t, "Keep", s.Deliveries.Keep(ctx, token, c.ID, []byte("x")))
	wantCancelled(t, "Record", s.Deliveries.Record(ctx, token, c.ID, delivery.Result{Status: delivery.Delivered}))
	_, _, err = s.Deliveries.Sweep(ctx, 0, 0, 10)
	wantCancelled(t, "Sweep", err)
	_, err = s.Deliveries.Redeliver(ctx, all, c.ID)
	wantCancelled(t, "Redeliver", err)
	wantCancelled(t, "AddEndpoint", s.Deliveries.AddEndpoint(ctx, sampleEndpoint(clock, 2)))
	_, err = s.Deliveries.ChangeEndpoint(ctx, all, e.ID, delivery.Change{}, clock.Now())
	wantCancelled(t, "ChangeEndpoint", err)
	wantCancelled(t, "DeleteEndpoint", s.Deliveries.DeleteEndpoint(ctx, all, e.ID))
	must(t, s.Deliveries.Record(t.Context(), token, c.ID, delivery.Result{Status: delivery.Delivered}))
	wantEndpoint(t, s, e)
	after, err := s.Deliveries.Cursor(t.Context(), "test")
	must(t, err)
	if after != 1 {
		t.Errorf("the cursor is %d, want 1", after)
	}
}
