// Package boardtest is the contract of provider.Board as tests, and a board inside one process that keeps it.
//
// It is for tests alone. [Run] is the entry; [Memory] is for tests of several processes in one.
package boardtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/provider"
)

// Opened gives the board as one more process sees it.
type Opened func() provider.Board

// Run runs the whole contract. Fresh makes an empty board.
func Run(t *testing.T, fresh func(tb testing.TB) Opened) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Opened)
	}{
		{"NoticesAreHeardByTheOthers", heardByOthers},
		{"ANoticeTakesThePlaceOfTheOneBefore", replaced},
		{"ANoticeThatIsNotRenewedGoes", goes},
		{"ALeaveIsOnesAtATime", onesAtATime},
		{"ALeaveThatIsNotRenewedLapses", lapses},
		{"ManyProcessesAtOnce", manyAtOnce},
		{"ACancelledCallChangesNothing", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, fresh(t))
		})
	}
}

// until waits until something is so, which it will be after some time.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	const most = 30 * time.Second
	end := time.Now().Add(most)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(end) {
			t.Fatalf("after %s it is not so that %s", most, what)
		}
		<-tick.C
	}
}

func exchange(t *testing.T, b provider.Board, n provider.Notice) []provider.Notice {
	t.Helper()
	list, err := b.Exchange(t.Context(), n)
	if err != nil {
		t.Fatalf("Exchange(%s) = %v", n.From, err)
	}
	slices.SortFunc(list, func(a, b provider.Notice) int { return strings.Compare(a.From, b.From) })
	return list
}

func claim(t *testing.T, b provider.Board, who string, d time.Duration) bool {
	t.Helper()
	ok, err := b.Claim(t.Context(), "openai#1/gpt", who, d)
	if err != nil {
		t.Fatalf("Claim(%s) = %v", who, err)
	}
	return ok
}

// sample is a notice in which everything is said.
func sample(from string, seq uint64) provider.Notice {
	return provider.Notice{From: from, Seq: seq, Accounts: []provider.AccountNotice{{
		Account: "openai#1", Inside: 3, Waiting: 2, Limit: 7,
		Models: []provider.ModelNotice{{Model: "größe \"4\"\n", Open: 1234567891, Mended: time.Second, Held: time.Minute}},
		Rests:  []provider.RestNotice{{Place: 1, Of: 3, Model: "m", Said: time.Millisecond, Guessed: time.Hour}},
	}}}
}

func want(t *testing.T, got []provider.Notice, want ...provider.Notice) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the others' notices differ (-want +got):\n%s", diff)
	}
}

func heardByOthers(t *testing.T, open Opened) {
	one, two := open(), open()
	want(t, exchange(t, one, sample("a", 1)))
	want(t, exchange(t, two, sample("b", 1)), sample("a", 1))
	want(t, exchange(t, one, provider.Notice{From: "a", Seq: 2}), sample("b", 1))
	want(t, exchange(t, two, sample("c", 9)), provider.Notice{From: "a", Seq: 2}, sample("b", 1))
}

func replaced(t *testing.T, open Opened) {
	one := open()
	for seq := range uint64(3) {
		exchange(t, one, sample("a", seq))
	}
	want(t, exchange(t, one, sample("b", 1)), sample("a", 2))
}

func goes(t *testing.T, open Opened) {
	one := open()
	exchange(t, one, sample("gone", 1))
	seq := uint64(0)
	until(t, "a notice that is not renewed is gone", func() bool {
		seq++
		return len(exchange(t, one, sample("a", seq))) == 0
	})
}

func onesAtATime(t *testing.T, open Opened) {
	one, two := open(), open()
	if !claim(t, one, "a", time.Minute) || claim(t, two, "b", time.Minute) || !claim(t, one, "a", time.Minute) {
		t.Error("want that a leave is given to one, and anew to it alone")
	}
	if ok, err := two.Claim(t.Context(), "openai#1/other", "b", time.Minute); !ok || err != nil {
		t.Errorf("the leave for something else: %t, %v, want it", ok, err)
	}
	for _, who := range []string{"b", "nobody"} { // Neither has it.
		if err := two.Release(t.Context(), "openai#1/gpt", who); err != nil {
			t.Fatal(err)
		}
	}
	if claim(t, two, "b", time.Minute) {
		t.Error("a leave was given back by somebody who did not have it")
	}
	if err := one.Release(t.Context(), "openai#1/gpt", "a"); err != nil {
		t.Fatal(err)
	}
	if !claim(t, two, "b", time.Minute) {
		t.Error("a leave that was given back was not given to another")
	}
}

func lapses(t *testing.T, open Opened) {
	one := open()
	const brief = 200 * time.Millisecond
	if !claim(t, one, "a", brief) {
		t.Fatal("a leave that nobody has was not given")
	}
	until(t, "a leave that is not renewed is another's", func() bool { return claim(t, one, "b", time.Minute) })
}

func manyAtOnce(t *testing.T, open Opened) {
	const processes = 8
	board := open()
	var holders atomic.Int64
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			who := string(rune('a' + i))
			for seq := range uint64(50) {
				if _, err := board.Exchange(t.Context(), sample(who, seq)); err != nil {
					t.Error(err)
				}
			}
			ok, err := board.Claim(t.Context(), "x", who, time.Minute)
			if err != nil {
				t.Error(err)
			}
			if ok {
				holders.Add(1)
			}
		})
	}
	all.Wait()
	if n := holders.Load(); n != 1 {
		t.Errorf("%d processes have the leave, want one", n)
	}
	if list := exchange(t, board, sample("z", 1)); len(list) != processes {
		t.Errorf("%d notices, want those of %d processes", len(list), processes)
	}
}

func cancelled(t *testing.T, open Opened) {
	board := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := board.Exchange(ctx, sample("a", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Exchange with a cancelled context = %v, want context.Canceled", err)
	}
	if _, err := board.Claim(ctx, "openai#1/gpt", "a", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("Claim with a cancelled context = %v, want context.Canceled", err)
	}
	want(t, exchange(t, board, sample("b", 1)))
	if !claim(t, board, "b", time.Minute) {
		t.Error("a leave was taken by a cancelled call")
	}
}
