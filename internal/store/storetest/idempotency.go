package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/idempotency"
)

func idempotencyContracts() []contract {
	return []contract{
		{"an answer is kept as it was", idempotencyKept},
		{"a name is taken once", idempotencyTaken},
		{"another body is told", idempotencyOtherBody},
		{"teams do not share names", idempotencyTeams},
		{"a released name is free", idempotencyReleased},
		{"a lease ends unless it is renewed", idempotencyLease},
		{"only the owner writes", idempotencyOwner},
		{"an answer is forgotten when it is old", idempotencyOld},
		{"forgetting works in portions and spares what is in use", idempotencyForget},
		{"of many at once one gets the name", idempotencyRace},
		{"a cancelled call changes nothing", idempotencyCancelled},
	}
}

// The lease and the time of keeping in these tests.
const (
	lease = 15 * time.Second
	keep  = 24 * time.Hour
)

func sampleName(text string) idempotency.Name { return idempotency.Name{Team: "acme", Key: text} }

// wantClaim claims and checks what became of it.
func wantClaim(t *testing.T, s Stores, n idempotency.Name, body byte, owner string, want idempotency.Claimed) {
	t.Helper()
	got, err := s.Idempotency.Claim(t.Context(), n, idempotency.Body{body}, owner, lease, keep)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the claim of %s by %s differs (-want +got):\n%s", n.Key, owner, diff)
	}
}

func taken() idempotency.Claimed   { return idempotency.Claimed{State: idempotency.Taken} }
func running() idempotency.Claimed { return idempotency.Claimed{State: idempotency.Running} }

func answered(body string) idempotency.Claimed {
	return idempotency.Claimed{State: idempotency.Answered, Response: sampleAnswer(body)}
}

func sampleAnswer(body string) idempotency.Response {
	return idempotency.Response{Status: 200, ContentType: "application/json", Body: []byte(body)}
}

func idempotencyKept(t *testing.T, s Stores, _ *Clock) {
	for i, text := range append(strange(), string(bytes.Repeat([]byte{0, 255}, 500_000))) {
		if text == "" {
			text = "x" // An empty answer is below.
		}
		n := sampleName(fmt.Sprint(i))
		wantClaim(t, s, n, 1, "a", taken())
		must(t, s.Idempotency.Finish(t.Context(), n, "a", sampleAnswer(text)))
		wantClaim(t, s, n, 1, "b", answered(text))
	}
	empty := sampleName("empty")
	wantClaim(t, s, empty, 1, "a", taken())
	must(t, s.Idempotency.Finish(t.Context(), empty, "a", idempotency.Response{Status: 204}))
	got, err := s.Idempotency.Claim(t.Context(), empty, idempotency.Body{1}, "b", lease, keep)
	must(t, err)
	if got.State != idempotency.Answered || got.Response.Status != 204 || len(got.Response.Body) != 0 {
		t.Errorf("an answer without a body: got %+v", got)
	}
}

func idempotencyTaken(t *testing.T, s Stores, _ *Clock) {
	n := sampleName("k")
	wantClaim(t, s, n, 1, "a", taken())
	wantClaim(t, s, n, 1, "b", running())
	wantClaim(t, s, n, 1, "a", running())
}

func idempotencyOtherBody(t *testing.T, s Stores, _ *Clock) {
	n, other := sampleName("k"), idempotency.Claimed{State: idempotency.OtherBody}
	wantClaim(t, s, n, 1, "a", taken())
	wantClaim(t, s, n, 2, "b", other)
	must(t, s.Idempotency.Finish(t.Context(), n, "a", sampleAnswer("x")))
	wantClaim(t, s, n, 2, "b", other)
}

func idempotencyTeams(t *testing.T, s Stores, _ *Clock) {
	acme, beta := sampleName("k"), idempotency.Name{Team: "beta", Key: "k"}
	wantClaim(t, s, acme, 1, "a", taken())
	wantClaim(t, s, beta, 2, "b", taken())
	must(t, s.Idempotency.Finish(t.Context(), acme, "a", sampleAnswer("of acme")))
	wantClaim(t, s, beta, 2, "c", running())
}

func idempotencyReleased(t *testing.T, s Stores, _ *Clock) {
	n := sampleName("k")
	wantClaim(t, s, n, 1, "a", taken())
	must(t, s.Idempotency.Release(t.Context(), n, "a"))
	wantClaim(t, s, n, 2, "b", taken())
}

func idempotencyLease(t *testing.T, s Stores, clock *Clock) {
	n := sampleName("k")
	wantClaim(t, s, n, 1, "a", taken())
	clock.Advance(lease - time.Second)
	must(t, s.Idempotency.Renew(t.Context(), n, "a", lease))
	clock.Advance(lease - time.Second)
	wantClaim(t, s, n, 1, "b", running())
	clock.Advance(time.Second)
	wantClaim(t, s, n, 1, "b", taken())
	wantLost(t, s, n, "a")
	must(t, s.Idempotency.Finish(t.Context(), n, "b", sampleAnswer("of b")))
	wantClaim(t, s, n, 1, "c", answered("of b"))
}

// wantLost checks that who is not the owner can write nothing.
func wantLost(t *testing.T, s Stores, n idempotency.Name, owner string) {
	t.Helper()
	for what, err := range map[string]error{
		"Renew":   s.Idempotency.Renew(t.Context(), n, owner, lease),
		"Finish":  s.Idempotency.Finish(t.Context(), n, owner, sampleAnswer("of "+owner)),
		"Release": s.Idempotency.Release(t.Context(), n, owner),
	} {
		if !errors.Is(err, idempotency.ErrLost) {
			t.Errorf("%s by %s: got the error %v, want ErrLost", what, owner, err)
		}
	}
}

func idempotencyOwner(t *testing.T, s Stores, _ *Clock) {
	n := sampleName("k")
	wantLost(t, s, n, "nobody has it")
	wantClaim(t, s, n, 1, "a", taken())
	wantLost(t, s, n, "b")
	must(t, s.Idempotency.Finish(t.Context(), n, "a", sampleAnswer("x")))
	wantLost(t, s, n, "a") // An answer is final, for its owner too.
	wantClaim(t, s, n, 1, "c", answered("x"))
}

func idempotencyOld(t *testing.T, s Stores, clock *Clock) {
	n := sampleName("k")
	wantClaim(t, s, n, 1, "a", taken())
	must(t, s.Idempotency.Finish(t.Context(), n, "a", sampleAnswer("x")))
	clock.Advance(keep - time.Second)
	wantClaim(t, s, n, 1, "b", answered("x"))
	clock.Advance(time.Second)
	wantClaim(t, s, n, 2, "b", taken())
}

func idempotencyForget(t *testing.T, s Stores, clock *Clock) {
	for i := range 10 {
		n := sampleName(fmt.Sprint(i))
		wantClaim(t, s, n, 1, "a", taken())
		if i != 0 {
			must(t, s.Idempotency.Finish(t.Context(), n, "a", sampleAnswer("x")))
		}
	}
	clock.Advance(keep)
	must(t, s.Idempotency.Renew(t.Context(), sampleName("0"), "a", lease)) // Still at work, after a day.
	wantClaim(t, s, sampleName("new"), 1, "a", taken())
	for _, want := range []int{4, 4, 1, 0} {
		got, err := s.Idempotency.Forget(t.Context(), keep, 4)
		must(t, err)
		if got != want {
			t.Fatalf("a portion of at most 4: forgot %d, want %d", got, want)
		}
	}
	wantClaim(t, s, sampleName("0"), 1, "b", running())
	wantClaim(t, s, sampleName("new"), 1, "b", running())
}

func idempotencyRace(t *testing.T, s Stores, _ *Clock) {
	var won atomic.Int64
	must(t, together(16, func(i int) error {
		c, err := s.Idempotency.Claim(context.Background(), sampleName("k"), idempotency.Body{1}, fmt.Sprint(i), lease, keep)
		if c.State == idempotency.Taken {
			won.Add(1)
		}
		return err
	}))
	if won.Load() != 1 {
		t.Errorf("%d owners got the name, want 1", won.Load())
	}
}

func idempotencyCancelled(t *testing.T, s Stores, _ *Clock) {
	ctx, n := cancelled(), sampleName("k")
	_, err := s.Idempotency.Claim(ctx, n, idempotency.Body{1}, "a", lease, keep)
	wantCancelled(t, "Claim", err)
	wantClaim(t, s, n, 1, "a", taken())
	wantCancelled(t, "Renew", s.Idempotency.Renew(ctx, n, "a", lease))
	wantCancelled(t, "Finish", s.Idempotency.Finish(ctx, n, "a", sampleAnswer("x")))
	wantCancelled(t, "Release", s.Idempotency.Release(ctx, n, "a"))
	_, err = s.Idempotency.Forget(ctx, keep, 10)
	wantCancelled(t, "Forget", err)
	wantClaim(t, s, n, 1, "b", running())
}
