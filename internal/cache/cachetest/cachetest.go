// Package cachetest is the contract of cache.Tier as tests: every tier runs it and none is done before it passes.
//
// It is for tests alone. [Run] is the entry; an [Instance] says how the tier at hand is made and how its time is moved. A change
// to a tier's behaviour is a change here first.
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/cache"
)

// Instance is one empty tier under test.
type Instance struct {
	Tier cache.Tier
	// Advance moves the tier's time. A tier whose server keeps the time shortens what is left of every entry instead.
	Advance func(d time.Duration)
	// MaxBytes is the bound it was made with: of all values together, or of one value where Served is set.
	MaxBytes int64
	// Served says that a server keeps the entries. It bounds them together by rules of its own, and nobody counts what carries a tag: what Drop gives is a
	// lower bound, and Stats knows what this process did and not what is held.
	Served bool
	// Settle waits until every process that shares the tier knows what was done so far; nil where that is at once.
	Settle func()
}

// margin is how far from the end of a time to live a test looks: where a server keeps the time, it goes on while the test works.
func (i Instance) margin() time.Duration {
	if i.Served {
		return 20 * time.Second
	}
	return time.Second
}

// settle waits for other processes.
func (i Instance) settle() {
	if i.Settle != nil {
		i.Settle()
	}
}

// Run runs the whole contract. New makes an empty tier bounded by about maxBytes; what it opens is closed by t.Cleanup.
func Run(t *testing.T, fresh func(t *testing.T, maxBytes int64) Instance) {
	t.Helper()
	const room = 8 << 20
	for _, c := range []struct {
		name string
		max  int64
		test func(*testing.T, Instance)
	}{
		{"AbsentKeyIsAMiss", room, absentIsMiss},
		{"WriteIsVisibleAtOnce", room, writeIsVisible},
		{"EmptyValueIsAHit", room, emptyValueIsHit},
		{"LaterWriteReplacesValueAndTags", room, laterWriteReplaces},
		{"BytesAreCopied", room, bytesAreCopied},
		{"EntryLivesForItsTTL", room, entryLivesForTTL},
		{"WriteStartsTTLAnew", room, writeStartsTTLAnew},
		{"TTLOutsideTheBoundsIsRefused", room, ttlBounds},
		{"DropTakesEveryEntryOfATag", room, dropByTag},
		{"DropOfSeveralTagsTakesTheirUnion", room, dropUnion},
		{"DropOfAVersionLeavesTheOthers", room, dropVersion},
		{"TeamsNeverMeet", room, teamsNeverMeet},
		{"TagOfAnotherTeamIsRefused", room, foreignTagRefused},
		{"CancelledContextChangesNothing", room, cancelledContext},
		{"BytesStayBounded", 1 << 20, bytesBounded},
		{"FullTierNeverGivesAnEarlierValue", 4 << 20, neverEarlier},
		{"TooLargeValueIsRefusedAndReplacesNothing", 1 << 20, tooLarge},
		{"FiguresAddUp", room, figuresAddUp},
		{"ConcurrentUseNeverMixesValues", 1 << 20, concurrentUse},
		{"WhatIsStoredAfterADropStays", room, storedAfterDrop},
		{"DropTakesWhatWasStoredBeforeIt", room, dropUnderWrites},
		{"TagsWithOddNamesAreKeptApart", room, oddTags},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, fresh(t, c.max))
		})
	}
}

const ttl = time.Hour

func keyOf(team, text string) cache.Key {
	b := cache.NewBuilder(team, len(text))
	b.Text("prompt", text)
	return b.Key()
}

func put(t *testing.T, i Instance, k cache.Key, v string, tags ...cache.Tag) {
	t.Helper()
	if err := i.Tier.Put(t.Context(), k, []byte(v), ttl, tags...); err != nil {
		t.Fatalf("Put(%s, %d bytes) = %v", k, len(v), err)
	}
	i.settle()
}

func want(t *testing.T, i Instance, k cache.Key, v string) {
	t.Helper()
	got, err := i.Tier.Get(t.Context(), k)
	if err != nil || string(got) != v {
		t.Errorf("Get(%s) = %.40q, %v, want %.40q", k, got, err, v)
	}
}

func miss(t *testing.T, i Instance, k cache.Key) {
	t.Helper()
	if got, err := i.Tier.Get(t.Context(), k); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("Get(%s) = %.40q, %v, want ErrMiss", k, got, err)
	}
}

func drop(t *testing.T, i Instance, n int, tags ...cache.Tag) {
	t.Helper()
	if got, err := i.Tier.Drop(t.Context(), tags...); err != nil || got > n || got < n && !i.Served {
		t.Errorf("Drop(%v) = %d, %v, want %d", tags, got, err, n)
	}
	i.settle()
}

func absentIsMiss(t *testing.T, i Instance) { miss(t, i, keyOf("a", "x")) }

func writeIsVisible(t *testing.T, i Instance) {
	for n := range 500 {
		k := keyOf("a", fmt.Sprint(n))
		put(t, i, k, fmt.Sprint("value ", n))
		want(t, i, k, fmt.Sprint("value ", n))
	}
}

func emptyValueIsHit(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	put(t, i, k, "")
	want(t, i, k, "")
}

func laterWriteReplaces(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	put(t, i, k, "one", cache.SchemaTags("a", "old@1")...)
	put(t, i, k, "two", cache.SchemaTags("a", "new@1")...)
	want(t, i, k, "two")
	drop(t, i, 0, cache.SchemaTag("a", "old"))
	want(t, i, k, "two")
	drop(t, i, 1, cache.SchemaTag("a", "new"))
	miss(t, i, k)
}

func bytesAreCopied(t *testing.T, i Instance) {
	k, given := keyOf("a", "x"), []byte("the value")
	if err := i.Tier.Put(t.Context(), k, given, ttl); err != nil {
		t.Fatal(err)
	}
	clear(given)
	want(t, i, k, "the value")
	got, err := i.Tier.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	_ = append(got, "more"...)
	want(t, i, k, "the value")
}

func entryLivesForTTL(t *testing.T, i Instance) {
	short, long := keyOf("a", "short"), keyOf("a", "long")
	for k, d := range map[cache.Key]time.Duration{short: cache.MinTTL, long: cache.MaxTTL} {
		if err := i.Tier.Put(t.Context(), k, []byte("v"), d, cache.SchemaTag("a", "s")); err != nil {
			t.Fatal(err)
		}
	}
	i.Advance(cache.MinTTL - i.margin())
	want(t, i, short, "v")
	i.Advance(2 * i.margin())
	miss(t, i, short)
	want(t, i, long, "v")
	i.Advance(cache.MaxTTL - cache.MinTTL - 2*i.margin())
	want(t, i, long, "v")
	i.Advance(2 * i.margin())
	miss(t, i, long)
	drop(t, i, 0, cache.SchemaTag("a", "s"))
}

func writeStartsTTLAnew(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	put(t, i, k, "one")
	i.Advance(ttl - i.margin())
	put(t, i, k, "two")
	i.Advance(ttl - i.margin())
	want(t, i, k, "two")
	i.Advance(2 * i.margin())
	miss(t, i, k)
}

func ttlBounds(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	for _, d := range []time.Duration{0, -time.Second, cache.MinTTL - 1, cache.MaxTTL + 1} {
		if err := i.Tier.Put(t.Context(), k, []byte("v"), d); err == nil {
			t.Errorf("Put with ttl %s = nil, want an error", d)
		}
	}
	miss(t, i, k)
	if err := i.Tier.Put(t.Context(), cache.Key{}, []byte("v"), ttl); err == nil {
		t.Error("Put under the zero key = nil, want an error")
	}
}

func dropByTag(t *testing.T, i Instance) {
	one, two, other := keyOf("a", "1"), keyOf("a", "2"), keyOf("a", "3")
	put(t, i, one, "1", cache.SchemaTags("a", "invoice@3")...)
	put(t, i, two, "2", append(cache.SchemaTags("a", "invoice@3"), cache.TemplateTags("a", "mail@1")...)...)
	put(t, i, other, "3", cache.TemplateTags("a", "mail@2")...)
	drop(t, i, 0, cache.TemplateTag("a", "invoice"))
	drop(t, i, 2, cache.SchemaTag("a", "invoice"))
	miss(t, i, one)
	miss(t, i, two)
	want(t, i, other, "3")
	drop(t, i, 0, cache.SchemaTag("a", "invoice"))
	drop(t, i, 1, cache.KeyTag(other))
	drop(t, i, 0, cache.KeyTag(other))
	miss(t, i, other)
	put(t, i, one, "1")
	put(t, i, two, "2")
	drop(t, i, 2, cache.AllTag("a"))
	miss(t, i, one)
	drop(t, i, 0)
}

func dropUnion(t *testing.T, i Instance) {
	put(t, i, keyOf("a", "1"), "1", cache.SchemaTag("a", "s"))
	put(t, i, keyOf("a", "2"), "2", cache.TemplateTag("a", "t"))
	put(t, i, keyOf("a", "3"), "3", cache.SchemaTag("a", "s"), cache.TemplateTag("a", "t"))
	put(t, i, keyOf("a", "4"), "4")
	drop(t, i, 3, cache.SchemaTag("a", "s"), cache.TemplateTag("a", "t"), cache.KeyTag(keyOf("a", "1")))
	want(t, i, keyOf("a", "4"), "4")
}

func dropVersion(t *testing.T, i Instance) {
	put(t, i, keyOf("a", "1"), "1", cache.SchemaTags("a", "invoice@1")...)
	put(t, i, keyOf("a", "2"), "2", cache.SchemaTags("a", "invoice@2")...)
	put(t, i, keyOf("a", "3"), "3", cache.SchemaTags("a", "invoices@1")...)
	drop(t, i, 1, cache.SchemaTag("a", "invoice@1"))
	miss(t, i, keyOf("a", "1"))
	want(t, i, keyOf("a", "2"), "2")
	drop(t, i, 1, cache.SchemaTag("a", "invoice"))
	want(t, i, keyOf("a", "3"), "3")
}

func teamsNeverMeet(t *testing.T, i Instance) {
	a, b := keyOf("a", "same"), keyOf("b", "same")
	put(t, i, a, "of a", cache.SchemaTags("a", "s@1")...)
	miss(t, i, b)
	put(t, i, b, "of b", cache.SchemaTags("b", "s@1")...)
	want(t, i, a, "of a")
	stolen, err := cache.ParseKey("b", a.String())
	if err != nil {
		t.Fatal(err)
	}
	miss(t, i, stolen)
	drop(t, i, 0, cache.KeyTag(stolen))
	drop(t, i, 1, cache.SchemaTag("b", "s"))
	put(t, i, b, "of b")
	drop(t, i, 1, cache.AllTag("b"))
	drop(t, i, 0, cache.AllTag(""))
	want(t, i, a, "of a")
}

func foreignTagRefused(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	if err := i.Tier.Put(t.Context(), k, []byte("v"), ttl, cache.SchemaTag("b", "s")); err == nil {
		t.Error("Put with a tag of another team = nil, want an error")
	}
	miss(t, i, k)
}

func cancelledContext(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	put(t, i, k, "one", cache.SchemaTag("a", "s"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Tier.Get(gone, k); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a cancelled context = %v, want context.Canceled", err)
	}
	if err := i.Tier.Put(gone, k, []byte("two"), ttl); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with a cancelled context = %v, want context.Canceled", err)
	}
	if n, err := i.Tier.Drop(gone, cache.SchemaTag("a", "s")); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Drop with a cancelled context = %d, %v, want 0, context.Canceled", n, err)
	}
	want(t, i, k, "one")
}

func bytesBounded(t *testing.T, i Instance) {
	if i.Served {
		t.Skip("SKIPPED: the server bounds the bytes that it holds")
	}
	value := string(bytes.Repeat([]byte("x"), 4<<10))
	writes := int(4 * i.MaxBytes / int64(len(value)))
	for n := range writes {
		put(t, i, keyOf("a", fmt.Sprint(n)), value, cache.SchemaTag("a", "s"))
	}
	held := int64(0)
	for n := range writes {
		if v, err := i.Tier.Get(t.Context(), keyOf("a", fmt.Sprint(n))); err == nil {
			held += int64(len(v))
		}
	}
	if held > i.MaxBytes {
		t.Errorf("after writing 4 times the bound %d bytes are held, want at most %d", held, i.MaxBytes)
	}
	if held < i.MaxBytes/2 {
		t.Errorf("after writing 4 times the bound only %d bytes are held, want at least half of %d", held, i.MaxBytes)
	}
	if r, ok := i.Tier.(cache.StatsReader); ok {
		if s, err := r.Stats(t.Context(), ""); err != nil || s.Bytes > i.MaxBytes || s.Evictions == 0 {
			t.Errorf("Stats = %+v, %v, want at most %d bytes and some evictions", s, err, i.MaxBytes)
		}
	}
}

// neverEarlier overwrites keys of a full tier. A tier may turn a value away for want of room, but seldom, and what it gives is
// the latest value.
func neverEarlier(t *testing.T, i Instance) {
	writes := 5000
	if i.Served {
		writes = 500 // Each is a round trip.
	}
	r := rand.New(rand.NewPCG(1, 2))
	misses := 0
	for n := range writes {
		k, v := keyOf("a", fmt.Sprint(r.IntN(writes/2))), fmt.Sprint(n, bytes.Repeat([]byte{'x'}, r.IntN(2<<10)))
		check(t, i.Tier.Put(t.Context(), k, []byte(v), ttl))
		i.settle()
		got, err := i.Tier.Get(t.Context(), k)
		switch {
		case errors.Is(err, cache.ErrMiss):
			misses++
		case err != nil || string(got) != v:
			t.Fatalf("Get after write %d = %.40q, %v, want %.40q or a miss", n, got, err, v)
		}
	}
	if misses > writes/20 {
		t.Errorf("%d of %d writes were not visible to the next read, want at most one in twenty", misses, writes)
	}
}

func tooLarge(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	put(t, i, k, "small")
	err := i.Tier.Put(t.Context(), k, make([]byte, i.MaxBytes+1), ttl)
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Put of more than the bound = %v, want ErrTooLarge", err)
	}
	i.settle()
	miss(t, i, k)
}

func figuresAddUp(t *testing.T, i Instance) {
	r, ok := i.Tier.(cache.StatsReader)
	if !ok {
		t.Skip("SKIPPED: the tier keeps no figures")
	}
	a, b := keyOf("a", "1"), keyOf("b", "1")
	put(t, i, a, "1")
	put(t, i, keyOf("a", "2"), "2")
	put(t, i, a, "1 again")
	put(t, i, b, "of b")
	want(t, i, a, "1 again")
	want(t, i, b, "of b")
	miss(t, i, keyOf("a", "3"))
	drop(t, i, 1, cache.KeyTag(a))
	for team, expect := range map[string]cache.Stats{
		"a": {Hits: 1, Misses: 1, Stores: 3, Drops: 1, Entries: 1},
		"b": {Hits: 1, Stores: 1, Entries: 1},
		"":  {Hits: 2, Misses: 1, Stores: 4, Drops: 1, Entries: 2},
		"c": {},
	} {
		got, err := r.Stats(t.Context(), team)
		if err != nil {
			t.Fatal(err)
		}
		if i.Served {
			got.Entries, got.Bytes, got.Evictions, got.Expirations = expect.Entries, expect.Entries, 0, 0
		}
		if (got.Bytes > 0) != (expect.Entries > 0) {
			t.Errorf("Stats(%q) has %d bytes in %d entries", team, got.Bytes, got.Entries)
		}
		got.Bytes, got.MaxBytes = 0, 0
		if got != expect {
			t.Errorf("Stats(%q) = %+v, want %+v", team, got, expect)
		}
	}
	if i.Served {
		return // What expires, the server knows.
	}
	i.Advance(ttl + time.Second)
	if got, err := r.Stats(t.Context(), ""); err != nil || got.Entries != 0 || got.Bytes != 0 || got.Expirations != 2 {
		t.Errorf("Stats after every entry expired = %+v, %v, want no entries, no bytes, 2 expirations", got, err)
	}
}

func concurrentUse(t *testing.T, i Instance) {
	const workers, rounds, keys = 8, 400, 64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range rounds {
				name := fmt.Sprint(r.IntN(keys))
				k := keyOf("a", name)
				switch r.IntN(5) {
				case 0:
					_, err := i.Tier.Drop(t.Context(), cache.SchemaTag("a", name))
					check(t, err)
				case 1, 2:
					v := bytes.Repeat([]byte(name+";"), 1+r.IntN(2000))
					check(t, i.Tier.Put(t.Context(), k, v, ttl, cache.SchemaTag("a", name)))
				default:
					v, err := i.Tier.Get(t.Context(), k)
					if errors.Is(err, cache.ErrMiss) {
						continue
					}
					check(t, err)
					if rest := bytes.ReplaceAll(v, []byte(name+";"), nil); len(rest) > 0 {
						t.Errorf("Get(%s) holds parts of another value: %.40q", name, rest)
					}
				}
			}
		})
	}
	wg.Wait()
	if _, err := i.Tier.Drop(t.Context(), cache.AllTag("a")); err != nil {
		t.Fatal(err)
	}
	i.settle()
	for n := range keys {
		miss(t, i, keyOf("a", fmt.Sprint(n)))
	}
}

func storedAfterDrop(t *testing.T, i Instance) {
	k := keyOf("a", "x")
	for _, tag := range []cache.Tag{cache.SchemaTag("a", "s@1"), cache.SchemaTag("a", "s"), cache.TemplateTag("a", "t"), cache.AllTag("a"), cache.KeyTag(k)} {
		for _, v := range []string{"one", "two"} {
			put(t, i, k, v, append(cache.SchemaTags("a", "s@1"), cache.TemplateTag("a", "t"))...)
			want(t, i, k, v)
			drop(t, i, 1, tag)
			miss(t, i, k)
		}
	}
}

// dropUnderWrites drops while others write: what had been written before a drop began is not there when it ended, unless it was written again.
func dropUnderWrites(t *testing.T, i Instance) {
	const rounds = 40
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := i.Tier.Put(t.Context(), keyOf("a", fmt.Sprint("other ", w, n%50)), []byte("v"), ttl, cache.SchemaTag("a", "s"))
				check(t, err)
			}
		})
	}
	for n := range rounds {
		k := keyOf("a", fmt.Sprint("mine ", n))
		check(t, i.Tier.Put(t.Context(), k, []byte("v"), ttl, cache.SchemaTag("a", "s")))
		_, err := i.Tier.Drop(t.Context(), cache.SchemaTag("a", "s"))
		check(t, err)
		i.settle()
		miss(t, i, k)
	}
	stop()
	wg.Wait()
}

func oddTags(t *testing.T, i Instance) {
	names := []string{"a", "a\nb", "a\n", "a%0Ab", "b", "ä{}", " ", "schema=a", "a\x00"}
	for n, name := range names {
		put(t, i, keyOf("a", fmt.Sprint(n)), name, cache.SchemaTag("a", name), cache.TemplateTag("a", name))
	}
	for n, name := range names {
		want(t, i, keyOf("a", fmt.Sprint(n)), name)
		drop(t, i, 1, cache.SchemaTag("a", name))
		miss(t, i, keyOf("a", fmt.Sprint(n)))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
