package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

func keyContracts() []contract {
	return []contract{
		{"a key is read as it was made", keyRoundTrip},
		{"texts are kept as they are", keyTexts},
		{"an id or a secret is taken once", keyTwice},
		{"a list shows one team's keys alone", keyTeams},
		{"a cursor sees each key once, also while keys are made", keyCursor},
		{"a rotated key keeps the secret before for the grace", keyRotate},
		{"a revoked key stays revoked", keyRevoke},
		{"a later use counts and an earlier one does not", keyTouch},
		{"changes tell every change once and no use", keyChanges},
		{"a cancelled call changes nothing", keyCancelled},
		{"many at once lose nothing", keyConcurrent},
	}
}

// sampleKey makes a key whose number gives its id and hash.
func sampleKey(n int, team key.TeamID) (key.Key, key.Hash) {
	rate := 100 + n
	k := key.Key{
		ID: key.ID(fmt.Sprintf("key_%08d", n)), Name: fmt.Sprintf("key %d", n), Team: team, Scopes: key.UsualScopes, Prefix: fmt.Sprintf("pd_live_%06d", n),
		RateLimitPerHour: &rate, TokensPerMinute: 7, MaxConcurrency: 3, PromptChars: 20000, Models: []string{"gpt", "a/b"},
		Budget: &key.Budget{Limit: 1_500_000_001, Period: key.Daily}, CreatedAt: start(), ExpiresAt: start().Add(time.Hour),
	}
	return k, sampleHash(n)
}

func sampleHash(n int) key.Hash {
	var h key.Hash
	copy(h[:], fmt.Sprintf("%032d", n))
	return h
}

func keyRoundTrip(t *testing.T, s Stores, _ *Clock) {
	full, h := sampleKey(1, "acme")
	bare := key.Key{ID: "key_2", Name: "bare", Team: "acme", Scopes: key.ScopesOf(key.Admin), Models: []string{}, CreatedAt: start()}
	must(t, s.Keys.Create(t.Context(), full, h))
	must(t, s.Keys.Create(t.Context(), bare, sampleHash(2)))
	for _, want := range []key.Key{full, bare} {
		got, err := s.Keys.Key(t.Context(), key.OfTeam("acme"), want.ID)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("key %s differs (-want +got):\n%s", want.ID, diff)
		}
	}
}

func keyTexts(t *testing.T, s Stores, _ *Clock) {
	for i, text := range strange() {
		k, h := sampleKey(i, "acme")
		k.Name, k.Models = text, []string{text}
		must(t, s.Keys.Create(t.Context(), k, h))
		got, err := s.Keys.Key(t.Context(), key.AllTeams(), k.ID)
		must(t, err)
		if got.Name != text || got.Models[0] != text {
			t.Errorf("text %q: got the name %q and the model %q", text, got.Name, got.Models[0])
		}
	}
}

func keyTwice(t *testing.T, s Stores, _ *Clock) {
	k, h := sampleKey(1, "acme")
	must(t, s.Keys.Create(t.Context(), k, h))
	wantCode(t, "the same id", s.Keys.Create(t.Context(), k, sampleHash(2)), fault.Conflict)
	other, _ := sampleKey(3, "acme")
	wantCode(t, "the same secret", s.Keys.Create(t.Context(), other, h), fault.Conflict)
}

func keyTeams(t *testing.T, s Stores, clock *Clock) {
	ctx := t.Context()
	for i, team := range []key.TeamID{"acme", "beta", "acme"} {
		k, h := sampleKey(i, team)
		must(t, s.Keys.Create(ctx, k, h))
	}
	for _, c := range []struct {
		name  string
		reach key.Reach
		want  []key.ID
	}{
		{"acme", key.OfTeam("acme"), []key.ID{"key_00000002", "key_00000000"}},
		{"beta", key.OfTeam("beta"), []key.ID{"key_00000001"}},
		{"a team without keys", key.OfTeam("acm"), nil},
		{"the zero reach", key.Reach{}, nil},
		{"all teams", key.AllTeams(), []key.ID{"key_00000002", "key_00000001", "key_00000000"}},
	} {
		list, next, err := s.Keys.List(ctx, c.reach, 10, "")
		must(t, err)
		if got := idsOf(list); !slices.Equal(got, c.want) || next != "" {
			t.Errorf("list of %s: got %v and cursor %q, want %v and none", c.name, got, next, c.want)
		}
	}
	foreign := key.OfTeam("beta")
	_, err := s.Keys.Key(ctx, foreign, "key_00000000")
	wantCode(t, "read another team's key", err, fault.NotFound)
	_, err = s.Keys.Revoke(ctx, foreign, "key_00000000", clock.Now())
	wantCode(t, "revoke another team's key", err, fault.NotFound)
	_, err = s.Keys.Rotate(ctx, foreign, "key_00000000", key.Rotation{Hash: sampleHash(9), Prefix: "p"})
	wantCode(t, "rotate another team's key", err, fault.NotFound)
	if got, err := s.Keys.Key(ctx, key.OfTeam("acme"), "key_00000000"); err != nil || !got.RevokedAt.IsZero() || got.Prefix == "p" {
		t.Errorf("after another team's attempts: got %+v, %v, want the key unchanged", got, err)
	}
}

func idsOf(list []key.Key) []key.ID {
	var ids []key.ID
	for _, k := range list {
		ids = append(ids, k.ID)
	}
	return ids
}

func keyCursor(t *testing.T, s Stores, _ *Clock) {
	const n = 23
	for i := range n {
		k, h := sampleKey(i, "acme")
		must(t, s.Keys.Create(t.Context(), k, h))
	}
	var got []key.ID
	for cursor, page := key.Cursor(""), 0; ; page++ {
		list, next, err := s.Keys.List(t.Context(), key.OfTeam("acme"), 5, cursor)
		must(t, err)
		got = append(got, idsOf(list)...)
		if next == "" {
			break
		}
		k, h := sampleKey(100+page, "acme")
		must(t, s.Keys.Create(t.Context(), k, h))
		cursor = next
	}
	if len(got) != n || !slices.IsSortedFunc(got, func(a, b key.ID) int { return -cmpID(a, b) }) {
		t.Errorf("pages: got %d keys %v, want the first %d, newest first", len(got), got, n)
	}
}

func cmpID(a, b key.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func keyRotate(t *testing.T, s Stores, _ *Clock) {
	ctx := t.Context()
	k, h := sampleKey(1, "acme")
	must(t, s.Keys.Create(ctx, k, h))
	until := start().Add(time.Minute)
	got, err := s.Keys.Rotate(ctx, key.OfTeam("acme"), k.ID, key.Rotation{Hash: sampleHash(2), Prefix: "pd_live_2", GraceUntil: until})
	must(t, err)
	k.Prefix = "pd_live_2"
	if diff := cmp.Diff(k, got); diff != "" {
		t.Errorf("the rotated key differs (-want +got):\n%s", diff)
	}
	held := onlyChange(t, s, -1)
	if held.Hash != sampleHash(2) || held.Previous != h || !held.PreviousUntil.Equal(until) {
		t.Errorf("with grace: got hashes %x and %x until %s", held.Hash[:4], held.Previous[:4], held.PreviousUntil)
	}
	_, err = s.Keys.Rotate(ctx, key.OfTeam("acme"), k.ID, key.Rotation{Hash: sampleHash(3), Prefix: "pd_live_3"})
	must(t, err)
	if held = onlyChange(t, s, -1); held.Hash != sampleHash(3) || !held.PreviousUntil.IsZero() {
		t.Errorf("without grace: got hash %x and a secret before until %s, want none", held.Hash[:4], held.PreviousUntil)
	}
	_, err = s.Keys.Rotate(ctx, key.AllTeams(), "key_none", key.Rotation{Hash: sampleHash(4)})
	wantCode(t, "rotate what does not exist", err, fault.NotFound)
}

func onlyChange(t *testing.T, s Stores, since int64) key.Held {
	t.Helper()
	changed, _, err := s.Keys.Changes(t.Context(), since)
	must(t, err)
	if len(changed) != 1 {
		t.Fatalf("changes since %d: got %d, want 1", since, len(changed))
	}
	return changed[0]
}

func keyRevoke(t *testing.T, s Stores, clock *Clock) {
	ctx := t.Context()
	k, h := sampleKey(1, "acme")
	must(t, s.Keys.Create(ctx, k, h))
	first := clock.Now()
	for range 2 {
		got, err := s.Keys.Revoke(ctx, key.OfTeam("acme"), k.ID, clock.Now())
		must(t, err)
		if !got.RevokedAt.Equal(first) {
			t.Errorf("revoked at %s, want the first time %s", got.RevokedAt, first)
		}
		clock.Advance(time.Hour)
	}
	_, err := s.Keys.Rotate(ctx, key.OfTeam("acme"), k.ID, key.Rotation{Hash: sampleHash(2), Prefix: "p"})
	wantCode(t, "rotate a revoked key", err, fault.Conflict)
	_, err = s.Keys.Revoke(ctx, key.AllTeams(), "key_none", clock.Now())
	wantCode(t, "revoke what does not exist", err, fault.NotFound)
}

func keyTouch(t *testing.T, s Stores, clock *Clock) {
	ctx := t.Context()
	k, h := sampleKey(1, "acme")
	must(t, s.Keys.Create(ctx, k, h))
	late := clock.Now().Add(time.Hour)
	for _, at := range []time.Time{clock.Now(), late, clock.Now().Add(time.Minute)} {
		must(t, s.Keys.Touch(ctx, []key.Use{{ID: k.ID, At: at}, {ID: "key_none", At: at}}))
	}
	got, err := s.Keys.Key(ctx, key.OfTeam("acme"), k.ID)
	must(t, err)
	if !got.LastUsedAt.Equal(late) {
		t.Errorf("last used at %s, want %s", got.LastUsedAt, late)
	}
}

func keyChanges(t *testing.T, s Stores, clock *Clock) {
	ctx := t.Context()
	changed, zero, err := s.Keys.Changes(ctx, -1)
	must(t, err)
	if len(changed) != 0 {
		t.Fatalf("an empty store told %d changes", len(changed))
	}
	for i := range 3 {
		k, h := sampleKey(i, "acme")
		must(t, s.Keys.Create(ctx, k, h))
	}
	changed, three, err := s.Keys.Changes(ctx, zero)
	must(t, err)
	if len(changed) != 3 || three <= zero {
		t.Fatalf("after three keys: got %d changes and the counter %d after %d", len(changed), three, zero)
	}
	must(t, s.Keys.Touch(ctx, []key.Use{{ID: "key_00000000", At: clock.Now()}}))
	changed, same, err := s.Keys.Changes(ctx, three)
	must(t, err)
	if len(changed) != 0 || same != three {
		t.Errorf("after a use: got %d changes and the counter %d, want none and %d", len(changed), same, three)
	}
	_, err = s.Keys.Revoke(ctx, key.AllTeams(), "key_00000001", clock.Now())
	must(t, err)
	if held := onlyChange(t, s, three); held.ID != "key_00000001" || held.RevokedAt.IsZero() || held.Hash != sampleHash(1) {
		t.Errorf("after a revocation: got %+v", held)
	}
}

func keyCancelled(t *testing.T, s Stores, clock *Clock) {
	ctx := cancelled()
	k, h := sampleKey(1, "acme")
	wantCancelled(t, "Create", s.Keys.Create(ctx, k, h))
	must(t, s.Keys.Create(t.Context(), k, h))
	_, err := s.Keys.Key(ctx, key.AllTeams(), k.ID)
	wantCancelled(t, "Key", err)
	_, _, err = s.Keys.List(ctx, key.AllTeams(), 10, "")
	wantCancelled(t, "List", err)
	_, err = s.Keys.Rotate(ctx, key.AllTeams(), k.ID, key.Rotation{Hash: sampleHash(2)})
	wantCancelled(t, "Rotate", err)
	_, err = s.Keys.Revoke(ctx, key.AllTeams(), k.ID, clock.Now())
	wantCancelled(t, "Revoke", err)
	wantCancelled(t, "Touch", s.Keys.Touch(ctx, []key.Use{{ID: k.ID, At: clock.Now()}}))
	_, _, err = s.Keys.Changes(ctx, -1)
	wantCancelled(t, "Changes", err)
	got, err := s.Keys.Key(t.Context(), key.AllTeams(), k.ID)
	must(t, err)
	if diff := cmp.Diff(k, got); diff != "" {
		t.Errorf("cancelled calls changed the key (-want +got):\n%s", diff)
	}
}

func keyConcurrent(t *testing.T, s Stores, clock *Clock) {
	const writers, each = 6, 8
	must(t, together(writers, func(w int) error {
		for i := range each {
			k, h := sampleKey(w*100+i, "acme")
			if err := s.Keys.Create(context.Background(), k, h); err != nil {
				return err
			}
			if i%2 == 0 {
				if _, err := s.Keys.Revoke(context.Background(), key.OfTeam("acme"), k.ID, clock.Now()); err != nil {
					return err
				}
			}
			if _, _, err := s.Keys.Changes(context.Background(), -1); err != nil {
				return err
			}
		}
		return nil
	}))
	changed, now, err := s.Keys.Changes(t.Context(), -1)
	must(t, err)
	if want := int64(writers * each * 3 / 2); len(changed) != writers*each || now != want {
		t.Errorf("got %d keys after %d changes, want %d after %d", len(changed), now, writers*each, want)
	}
}
