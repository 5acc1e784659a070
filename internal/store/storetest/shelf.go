package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/value"
)

// shelfContracts are the rules of a shelf, whichever it is.
func shelfContracts(of func(Stores) shelf.Store) []contract {
	on := func(rule string, run func(t *testing.T, s shelf.Store, clock *Clock)) contract {
		return contract{rule, func(t *testing.T, s Stores, clock *Clock) { run(t, of(s), clock) }}
	}
	return []contract{
		on("a version is read as it was published", shelfRoundTrip),
		on("texts are kept as they are", shelfTexts),
		on("versions count from 1 by name and team", shelfNumbers),
		on("a publication of an old revision keeps nothing", shelfMoved),
		on("a list shows one team's names alone, in order", shelfTeams),
		on("a cursor sees each name once", shelfCursor),
		on("versions are listed from the newest on", shelfVersions),
		on("the newest version is the newest that can be used", shelfWithdrawVersion),
		on("a withdrawn name keeps what was withdrawn of it", shelfWithdrawName),
		on("a change changes what it names", shelfChange),
		on("every change moves the counter and the revision, and nothing else does", shelfCounter),
		on("a cancelled call changes nothing", shelfCancelled),
		on("64 publishers at once lose no version and give none twice", shelfConcurrent),
	}
}

// samplePublication makes a publication whose number is in its content.
func samplePublication(n int, team key.TeamID, name string, revision int64) shelf.Publication {
	text := fmt.Sprintf(`{"type":"object","properties":{"b":{"const":%d},"a":{"type":"number","maximum":1.50}}}`, n)
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		panic(err)
	}
	return shelf.Publication{
		Version: shelf.Version{
			Team: team, Name: name, Hash: sha256.Sum256([]byte(text)), Content: v, Compatibility: compat.Full, Owner: key.ID(fmt.Sprintf("key_%d", n)),
			CreatedAt: start().Add(time.Duration(n) * time.Second),
		},
		Kept: compat.Backward, Revision: revision,
	}
}

// publish keeps versions of a name, one behind the other.
func publish(t *testing.T, s shelf.Store, team key.TeamID, name string, n int) {
	t.Helper()
	for range n {
		before, _, err := s.Find(t.Context(), team, name, 0)
		if err != nil {
			wantCode(t, "find before publishing", err, fault.NotFound)
		}
		_, _, err = s.Publish(t.Context(), samplePublication(before.Newest+1, team, name, before.Revision))
		must(t, err)
	}
}

// diffContents compares by what is kept; a content by its text, order and spelling included.
func diffContents(want, got any) string {
	return cmp.Diff(want, got, cmp.Transformer("text", func(v value.Value) string { return v.String() }))
}

func shelfRoundTrip(t *testing.T, s shelf.Store, _ *Clock) {
	p := samplePublication(1, "acme", "invoice", 0)
	description := "what we bill"
	p.Description = &description
	after, v, err := s.Publish(t.Context(), p)
	must(t, err)
	wantName := shelf.Name{
		Team: "acme", Name: "invoice", Description: description, Compatibility: compat.Backward, Owner: "key_1", Newest: 1, Current: 1,
		CurrentHash: p.Hash, CreatedAt: p.CreatedAt, UpdatedAt: p.CreatedAt, Revision: 1,
	}
	wantVersion := p.Version
	wantVersion.Number = 1
	for _, number := range []int{0, 1} {
		foundName, found, err := s.Find(t.Context(), "acme", "invoice", number)
		must(t, err)
		for _, d := range []string{diffContents(wantName, after), diffContents(wantName, foundName), diffContents(wantVersion, v), diffContents(wantVersion, found)} {
			if d != "" {
				t.Errorf("version %d (-want +got):\n%s", number, d)
			}
		}
	}
	second := samplePublication(2, "acme", "invoice", 1)
	second.Kept = compat.None
	after, _, err = s.Publish(t.Context(), second)
	must(t, err)
	wantName.Newest, wantName.Current, wantName.CurrentHash, wantName.UpdatedAt, wantName.Revision = 2, 2, second.Hash, second.CreatedAt, 2
	if d := diffContents(wantName, after); d != "" {
		t.Errorf("after a second version (-want +got):\n%s", d)
	}
}

func shelfTexts(t *testing.T, s shelf.Store, _ *Clock) {
	for i, text := range strange() {
		p := samplePublication(i, "acme", fmt.Sprintf("n%d", i), 0)
		p.Description = &text
		p.Content = value.Object(value.Member{Name: text, Value: value.String(text)})
		_, _, err := s.Publish(t.Context(), p)
		must(t, err)
		one, v, err := s.Find(t.Context(), "acme", p.Name, 1)
		must(t, err)
		if one.Description != text || !value.Identical(v.Content, p.Content) {
			t.Errorf("text %q: got the description %q and the content %s", text, one.Description, v.Content)
		}
	}
}

func shelfNumbers(t *testing.T, s shelf.Store, _ *Clock) {
	publish(t, s, "acme", "invoice", 3)
	publish(t, s, "acme", "receipt", 1)
	publish(t, s, "beta", "invoice", 2)
	for _, c := range []struct {
		team   key.TeamID
		name   string
		newest int
	}{{"acme", "invoice", 3}, {"acme", "receipt", 1}, {"beta", "invoice", 2}} {
		one, v, err := s.Find(t.Context(), c.team, c.name, 0)
		must(t, err)
		if one.Newest != c.newest || one.Current != c.newest || v.Number != c.newest || v.Team != c.team || one.Revision != int64(c.newest) {
			t.Errorf("%s of %s: got %+v with version %d, want %d", c.name, c.team, one, v.Number, c.newest)
		}
	}
	for _, number := range []int{4, -1, 1 << 40} {
		_, _, err := s.Find(t.Context(), "acme", "invoice", number)
		wantCode(t, fmt.Sprintf("version %d", number), err, fault.NotFound)
	}
}

func shelfMoved(t *testing.T, s shelf.Store, _ *Clock) {
	publish(t, s, "acme", "invoice", 2)
	for _, revision := range []int64{0, 1, 3} {
		if _, _, err := s.Publish(t.Context(), samplePublication(9, "acme", "invoice", revision)); !errors.Is(err, shelf.ErrMoved) {
			t.Errorf("revision %d: got the error %v, want ErrMoved", revision, err)
		}
	}
	if _, _, err := s.Publish(t.Context(), samplePublication(9, "acme", "other", 1)); !errors.Is(err, shelf.ErrMoved) {
		t.Errorf("a name that does not exist: got the error %v, want ErrMoved", err)
	}
	one, _, err := s.Find(t.Context(), "acme", "invoice", 0)
	must(t, err)
	if one.Newest != 2 {
		t.Errorf("got %d versions, want 2", one.Newest)
	}
}

func namesOf(list []shelf.Name) []string {
	var names []string
	for _, one := range list {
		names = append(names, one.Name)
	}
	return names
}

func shelfTeams(t *testing.T, s shelf.Store, clock *Clock) {
	ctx := t.Context()
	for _, name := range []string{"b", "a.b", "a-c"} {
		publish(t, s, "acme", name, 1)
	}
	publish(t, s, "beta", "secret", 1)
	for team, want := range map[key.TeamID][]string{"acme": {"a-c", "a.b", "b"}, "beta": {"secret"}, "acm": nil, "": nil} {
		list, next, err := s.List(ctx, team, shelf.Filter{Limit: 10})
		must(t, err)
		if got := namesOf(list); !slices.Equal(got, want) || next != "" {
			t.Errorf("list of %q: got %v and the cursor %q, want %v and none", team, got, next, want)
		}
	}
	foreign := func(what string, err error) { wantCode(t, what+" of another team", err, fault.NotFound) }
	_, _, err := s.Find(ctx, "acme", "secret", 1)
	foreign("Find", err)
	_, _, err = s.Versions(ctx, "acme", "secret", shelf.VersionFilter{Limit: 10})
	foreign("Versions", err)
	_, err = s.Change(ctx, "acme", "secret", shelf.Change{At: clock.Now()})
	foreign("Change", err)
	for _, number := range []int{0, 1} {
		_, err = s.Withdraw(ctx, "acme", "secret", number, clock.Now())
		foreign("Withdraw", err)
		_, err = s.Restore(ctx, "acme", "secret", number, clock.Now())
		foreign("Restore", err)
	}
	one, _, err := s.Find(ctx, "beta", "secret", 0)
	must(t, err)
	if one.Revision != 1 || one.Current != 1 {
		t.Errorf("after another team's attempts: got %+v, want the name unchanged", one)
	}
}

func shelfCursor(t *testing.T, s shelf.Store, clock *Clock) {
	for i := range 23 {
		publish(t, s, "acme", fmt.Sprintf("n%02d", i), 1)
	}
	_, err := s.Withdraw(t.Context(), "acme", "n04", 0, clock.Now())
	must(t, err)
	for withdrawn, want := range map[bool]int{false: 22, true: 23} {
		var got []string
		for cursor, again := "", true; again; again = cursor != "" {
			list, next, err := s.List(t.Context(), "acme", shelf.Filter{Limit: 5, After: cursor, Withdrawn: withdrawn})
			must(t, err)
			got = append(got, namesOf(list)...)
			cursor = next
		}
		if len(got) != want || !slices.IsSorted(got) || slices.Contains(got, "n04") != withdrawn {
			t.Errorf("withdrawn %t: got %d names %v, want %d in order", withdrawn, len(got), got, want)
		}
	}
}

func shelfVersions(t *testing.T, s shelf.Store, clock *Clock) {
	publish(t, s, "acme", "invoice", 7)
	publish(t, s, "acme", "invoice2", 1)
	_, err := s.Withdraw(t.Context(), "acme", "invoice", 5, clock.Now())
	must(t, err)
	for withdrawn, want := range map[bool][]int{false: {7, 6, 4, 3, 2, 1}, true: {7, 6, 5, 4, 3, 2, 1}} {
		var got []int
		for before, again := 0, true; again; again = before != 0 {
			list, next, err := s.Versions(t.Context(), "acme", "invoice", shelf.VersionFilter{Limit: 2, Before: before, Withdrawn: withdrawn})
			must(t, err)
			for _, v := range list {
				got = append(got, v.Number)
				if v.Owner != key.ID(fmt.Sprintf("key_%d", v.Number)) || v.WithdrawnAt.IsZero() == (v.Number == 5) || !v.Content.IsNull() {
					t.Errorf("version %d is listed as %+v", v.Number, v)
				}
			}
			before = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("withdrawn %t: got %v, want %v", withdrawn, got, want)
		}
	}
}

func shelfWithdrawVersion(t *testing.T, s shelf.Store, clock *Clock) {
	ctx := t.Context()
	publish(t, s, "acme", "invoice", 3)
	first := clock.Now()
	steps := []struct {
		restore bool
		number  int
		current int
	}{{false, 2, 3}, {false, 3, 1}, {false, 3, 1}, {false, 1, 0}, {true, 2, 2}, {true, 2, 2}, {true, 3, 3}, {true, 1, 3}}
	for i, step := range steps {
		mark := s.Withdraw
		if step.restore {
			mark = s.Restore
		}
		after, err := mark(ctx, "acme", "invoice", step.number, clock.Now())
		must(t, err)
		found, v, err := s.Find(ctx, "acme", "invoice", 0)
		must(t, err)
		if after.Current != step.current || v.Number != step.current || found.Newest != 3 || found.Current != step.current {
			t.Errorf("step %d: got the version %d (%d after the step), want %d", i, v.Number, after.Current, step.current)
		}
		clock.Advance(time.Hour)
	}
	_, err := s.Withdraw(ctx, "acme", "invoice", 3, first)
	must(t, err)
	_, err = s.Withdraw(ctx, "acme", "invoice", 3, clock.Now())
	must(t, err)
	_, v, err := s.Find(ctx, "acme", "invoice", 3)
	must(t, err)
	if !v.WithdrawnAt.Equal(first) {
		t.Errorf("withdrawn twice: got the time %s, want the first %s", v.WithdrawnAt, first)
	}
	for _, number := range []int{4, -1} {
		_, err = s.Withdraw(ctx, "acme", "invoice", number, clock.Now())
		wantCode(t, "withdraw a version that does not exist", err, fault.NotFound)
	}
	publish(t, s, "acme", "invoice", 1)
	if one, v, err := s.Find(ctx, "acme", "invoice", 0); err != nil || v.Number != 4 || one.Newest != 4 {
		t.Errorf("published behind a withdrawn version: got %d of %d, %v, want 4: no number is given twice", v.Number, one.Newest, err)
	}
}

func shelfWithdrawName(t *testing.T, s shelf.Store, clock *Clock) {
	ctx := t.Context()
	publish(t, s, "acme", "invoice", 2)
	_, err := s.Withdraw(ctx, "acme", "invoice", 1, clock.Now())
	must(t, err)
	at := clock.Now()
	for range 2 {
		one, err := s.Withdraw(ctx, "acme", "invoice", 0, clock.Now())
		must(t, err)
		if !one.WithdrawnAt.Equal(at) || one.Current != 2 {
			t.Errorf("withdrawn: got %+v, want the first time %s", one, at)
		}
		clock.Advance(time.Minute)
	}
	one, err := s.Restore(ctx, "acme", "invoice", 0, clock.Now())
	must(t, err)
	_, v, err := s.Find(ctx, "acme", "invoice", 1)
	must(t, err)
	if !one.WithdrawnAt.IsZero() || v.WithdrawnAt.IsZero() {
		t.Errorf("restored: got the name withdrawn at %s and version 1 at %s, want the name restored alone", one.WithdrawnAt, v.WithdrawnAt)
	}
	_, err = s.Withdraw(ctx, "acme", "nothing", 0, clock.Now())
	wantCode(t, "withdraw a name that does not exist", err, fault.NotFound)
}

func shelfChange(t *testing.T, s shelf.Store, clock *Clock) {
	ctx := t.Context()
	publish(t, s, "acme", "invoice", 1)
	text, empty, mode := "described", "", compat.None
	for i, c := range []struct {
		change      shelf.Change
		description string
		mode        compat.Mode
	}{
		{shelf.Change{Description: &text}, text, compat.Backward},
		{shelf.Change{Compatibility: &mode}, text, compat.None},
		{shelf.Change{Description: &empty}, "", compat.None},
	} {
		c.change.At = clock.Now()
		one, err := s.Change(ctx, "acme", "invoice", c.change)
		must(t, err)
		if one.Description != c.description || one.Compatibility != c.mode || !one.UpdatedAt.Equal(clock.Now()) || one.Revision != int64(i+2) {
			t.Errorf("change %d: got %+v", i, one)
		}
		clock.Advance(time.Second)
	}
	_, err := s.Change(ctx, "acme", "nothing", shelf.Change{Description: &text})
	wantCode(t, "change what does not exist", err, fault.NotFound)
}

func shelfCounter(t *testing.T, s shelf.Store, clock *Clock) {
	ctx := t.Context()
	revision := func() int64 {
		one, _, err := s.Find(ctx, "acme", "invoice", 0)
		if err != nil {
			wantCode(t, "find", err, fault.NotFound)
		}
		return one.Revision
	}
	text := "x"
	mark := func(f func(context.Context, key.TeamID, string, int, time.Time) (shelf.Name, error), number int) func() {
		return func() {
			_, err := f(ctx, "acme", "invoice", number, clock.Now())
			must(t, err)
		}
	}
	for i, step := range []struct {
		do    func()
		moves bool
	}{
		{func() { publish(t, s, "acme", "invoice", 1) }, true},
		{func() {
			_, err := s.Change(ctx, "acme", "invoice", shelf.Change{Description: &text})
			must(t, err)
		}, true},
		{mark(s.Restore, 1), false},
		{mark(s.Withdraw, 1), true},
		{mark(s.Withdraw, 1), false},
		{mark(s.Restore, 1), true},
		{mark(s.Restore, 0), false},
		{mark(s.Withdraw, 0), true},
		{mark(s.Withdraw, 0), false},
		{mark(s.Restore, 0), true},
		{func() { _, _, err := s.Publish(ctx, samplePublication(1, "acme", "invoice", 99)); _ = err }, false},
		{func() { _, _, err := s.List(ctx, "acme", shelf.Filter{Limit: 1}); must(t, err) }, false},
	} {
		before, revisionBefore := counterOf(t, s), revision()
		step.do()
		after, revisionAfter := counterOf(t, s), revision()
		if (after != before) != step.moves || (revisionAfter != revisionBefore) != step.moves {
			t.Errorf("step %d: the counter went from %d to %d and the revision from %d to %d; want both to move: %t", i, before, after, revisionBefore, revisionAfter, step.moves)
		}
	}
}

func counterOf(t *testing.T, s shelf.Store) int64 {
	t.Helper()
	n, err := s.Changes(t.Context())
	must(t, err)
	return n
}

func shelfCancelled(t *testing.T, s shelf.Store, clock *Clock) {
	publish(t, s, "acme", "invoice", 1)
	before, _, err := s.Find(t.Context(), "acme", "invoice", 0)
	must(t, err)
	ctx, text := cancelled(), "x"
	_, _, err = s.Publish(ctx, samplePublication(2, "acme", "invoice", 1))
	wantCancelled(t, "Publish", err)
	_, _, err = s.Find(ctx, "acme", "invoice", 1)
	wantCancelled(t, "Find", err)
	_, _, err = s.List(ctx, "acme", shelf.Filter{Limit: 1})
	wantCancelled(t, "List", err)
	_, _, err = s.Versions(ctx, "acme", "invoice", shelf.VersionFilter{Limit: 1})
	wantCancelled(t, "Versions", err)
	_, err = s.Change(ctx, "acme", "invoice", shelf.Change{Description: &text})
	wantCancelled(t, "Change", err)
	_, err = s.Withdraw(ctx, "acme", "invoice", 1, clock.Now())
	wantCancelled(t, "Withdraw", err)
	_, err = s.Restore(ctx, "acme", "invoice", 1, clock.Now())
	wantCancelled(t, "Restore", err)
	_, err = s.Changes(ctx)
	wantCancelled(t, "Changes", err)
	after, _, err := s.Find(t.Context(), "acme", "invoice", 0)
	must(t, err)
	if d := diffContents(before, after); d != "" {
		t.Errorf("cancelled calls changed something (-before +after):\n%s", d)
	}
}

// shelfConcurrent lets publishers look and publish against each other as those of several processes do: who comes late looks again.
func shelfConcurrent(t *testing.T, s shelf.Store, _ *Clock) {
	const publishers, each = 64, 4
	given := make([][]int, publishers)
	must(t, together(publishers, func(w int) error {
		for i := range each {
			for {
				before, _, err := s.Find(context.Background(), "acme", "invoice", 0)
				if err != nil && !fault.Is(err, fault.NotFound) {
					return err
				}
				p := samplePublication(w*each+i, "acme", "invoice", before.Revision)
				_, v, err := s.Publish(context.Background(), p)
				if errors.Is(err, shelf.ErrMoved) {
					continue
				}
				if err != nil {
					return err
				}
				given[w] = append(given[w], v.Number)
				break
			}
		}
		return nil
	}))
	const all = publishers * each
	numbers := slices.Sorted(slices.Values(slices.Concat(given...)))
	for i, n := range numbers {
		if n != i+1 {
			t.Fatalf("the numbers given are %v, want 1 to %d once each", numbers, all)
		}
	}
	for w := range given {
		for i, n := range given[w] {
			_, v, err := s.Find(t.Context(), "acme", "invoice", n)
			must(t, err)
			if want := samplePublication(w*each+i, "acme", "invoice", 0); v.Hash != want.Hash || !value.Identical(v.Content, want.Content) {
				t.Errorf("version %d holds another content than its publisher was told", n)
			}
		}
	}
	one, _, err := s.Find(t.Context(), "acme", "invoice", 0)
	must(t, err)
	if len(numbers) != all || one.Newest != all || one.Revision != all || counterOf(t, s) != all {
		t.Errorf("got %d numbers, the newest %d, the revision %d and the counter %d, want %d of each", len(numbers), one.Newest, one.Revision, counterOf(t, s), all)
	}
}

func shelvesContracts() []contract {
	return []contract{
		{"a name on one shelf is not on another", shelvesApart},
	}
}

// shelvesApart publishes, changes and withdraws on one shelf; the other does not notice.
func shelvesApart(t *testing.T, s Stores, clock *Clock) {
	shelves := map[string]shelf.Store{"schemas": s.Schemas, "templates": s.Templates}
	for here, ours := range shelves {
		publish(t, ours, "acme", here, 2)
		for there, theirs := range shelves {
			if there == here {
				continue
			}
			before := counterOf(t, theirs)
			_, _, err := theirs.Find(t.Context(), "acme", here, 0)
			wantCode(t, here+" among the "+there, err, fault.NotFound)
			_, err = ours.Withdraw(t.Context(), "acme", here, 1, clock.Now())
			must(t, err)
			if after := counterOf(t, theirs); after != before {
				t.Errorf("a change among the %s moved the counter of the %s from %d to %d", here, there, before, after)
			}
		}
	}
}
