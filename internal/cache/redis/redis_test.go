package redis_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/cachetest"
	cacheredis "github.com/promptd/promptd/internal/cache/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

func keyOf(team, text string) cache.Key {
	b := cache.NewBuilder(team, len(text))
	b.Text("prompt", text)
	return b.Key()
}

func TestRedisTierKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		var n atomic.Int64
		cachetest.Run(t, func(t *testing.T, maxBytes int64) cachetest.Instance {
			own := s
			own.Prefix += fmt.Sprint(n.Add(1), ":")
			return cachetest.Instance{
				Tier:     cacheredis.New(own.Open(t), int(maxBytes)),
				Advance:  func(d time.Duration) { own.Age(t, d) },
				MaxBytes: maxBytes, Served: true,
			}
		})
	})
}

// TestWhateverIsEvictedNothingDroppedComesBack holds the tier against a model, while the server takes entries and generations away at will.
func TestWhateverIsEvictedNothingDroppedComesBack(t *testing.T) {
	t.Parallel()
	s := redistest.One(t)
	client := s.Open(t)
	tier := cacheredis.New(client, 0)
	evict := func(key string) bool {
		n, err := client.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Unlink().Key(key).Build() }).AsInt64()
		if err != nil {
			t.Error(err)
		}
		return n > 0
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		team := fmt.Sprint("team", run)
		type entry struct {
			value string
			tags  []cache.Tag
		}
		model := map[cache.Key]entry{}
		lossy := false // Whether something was evicted, so that a miss may be right where the model has a value.
		keys := []cache.Key{keyOf(team, "1"), keyOf(team, "2"), keyOf(team, "3")}
		tags := []cache.Tag{cache.SchemaTag(team, "s"), cache.SchemaTag(team, "s@1"), cache.TemplateTag(team, "t")}
		aKey, aTag, some := rapid.SampledFrom(keys), rapid.SampledFrom(append(tags, cache.AllTag(team))), rapid.SliceOfDistinct(rapid.SampledFrom(tags), func(t cache.Tag) string { return t.String() })
		written := 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				k, with := aKey.Draw(rt, "key"), some.Draw(rt, "tags")
				written++
				e := entry{fmt.Sprint("value ", written), with}
				if err := tier.Put(t.Context(), k, []byte(e.value), time.Hour, with...); err != nil {
					rt.Fatal(err)
				}
				model[k] = e
				if got, err := tier.Get(t.Context(), k); err != nil || string(got) != e.value {
					rt.Fatalf("Get after Put = %q, %v, want %q", got, err, e.value)
				}
			},
			"drop": func(rt *rapid.T) {
				tag := aTag.Draw(rt, "tag")
				if _, err := tier.Drop(t.Context(), tag); err != nil {
					rt.Fatal(err)
				}
				for k, e := range model {
					for _, own := range append(e.tags, cache.AllTag(team)) {
						if own == tag {
							delete(model, k)
						}
					}
				}
			},
			"drop a key": func(rt *rapid.T) {
				k := aKey.Draw(rt, "key")
				if _, err := tier.Drop(t.Context(), cache.KeyTag(k)); err != nil {
					rt.Fatal(err)
				}
				delete(model, k)
			},
			"evict generations": func(*rapid.T) { lossy = evict(client.Key(team, "answers1")) || lossy },
			"evict an entry":    func(rt *rapid.T) { lossy = evict(client.Key(team, "answer1", aKey.Draw(rt, "key").String())) || lossy },
			"": func(rt *rapid.T) {
				for _, k := range keys {
					e, there := model[k]
					got, err := tier.Get(t.Context(), k)
					switch {
					case errors.Is(err, cache.ErrMiss) && there && lossy:
						delete(model, k) // It is gone for good: it may not come back later.
					case errors.Is(err, cache.ErrMiss) && !there:
					case err != nil || !there || string(got) != e.value:
						rt.Fatalf("Get = %q, %v, want %q (%t)", got, err, e.value, there)
					}
				}
			},
		})
	})
}

func TestForeignBytesUnderAKeyAreAMiss(t *testing.T) {
	t.Parallel()
	s := redistest.One(t)
	client := s.Open(t)
	tier := cacheredis.New(client, 0)
	k := keyOf("a", "x")
	for _, text := range []string{"", "x", "00000", "99999", "00003abc", "00008all=true", "-0001", "1e308", "00009all=true\nvalue"} {
		err := client.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed {
			return b.Set().Key(client.Key("a", "answer1", k.String())).Value(text).Build()
		}).Error()
		if err != nil {
			t.Fatal(err)
		}
		if v, err := tier.Get(t.Context(), k); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("Get of the bytes %q = %q, %v, want ErrMiss", text, v, err)
		}
		if n, err := tier.Drop(t.Context(), cache.KeyTag(k)); n != 0 || err != nil {
			t.Errorf("Drop of the bytes %q = %d, %v, want 0", text, n, err)
		}
	}
}

func TestReplaceSaysWhetherThereWasSomething(t *testing.T) {
	t.Parallel()
	tier := cacheredis.New(redistest.One(t).Open(t), 0)
	for n, want := range []bool{false, true, true} {
		if got, err := tier.Replace(t.Context(), keyOf("a", "x"), []byte("v"), time.Hour); err != nil || got != want {
			t.Errorf("write %d: Replace = %t, %v, want %t", n, got, err, want)
		}
	}
}

// TestTierIsAwayWithItsServer: trouble is an error that is no miss, and it is over when the server is back.
func TestTierIsAwayWithItsServer(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t)
	client := p.OpenWith(t, redis.Options{Timeout: 200 * time.Millisecond})
	tier := cacheredis.New(client, 0)
	k := keyOf("a", "x")
	p.Pause()
	redistest.Wait(t, "the server is known to be away", func() bool {
		_, err := tier.Get(t.Context(), k)
		return errors.Is(err, redis.ErrAway) && !client.Ready()
	})
	if err := tier.Put(t.Context(), k, []byte("v"), time.Hour); !errors.Is(err, redis.ErrAway) {
		t.Errorf("Put = %v, want ErrAway", err)
	}
	if _, err := tier.Drop(t.Context(), cache.AllTag("a")); !errors.Is(err, redis.ErrAway) {
		t.Errorf("Drop = %v, want ErrAway", err)
	}
	p.Resume()
	redistest.Wait(t, "the tier works again", func() bool { return tier.Put(t.Context(), k, []byte("v"), time.Hour) == nil })
	if v, err := tier.Get(t.Context(), k); err != nil || string(v) != "v" {
		t.Errorf("Get = %q, %v", v, err)
	}
}

// TestFullServerEvictsAndServes: under allkeys-lru a server far too small for what is written goes on, and gives nothing wrong.
func TestFullServerEvictsAndServes(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
	tier := cacheredis.New(p.Open(t), 0)
	hits := 0
	for n := range 4000 {
		team := fmt.Sprint("t", n%7)
		k := keyOf(team, fmt.Sprint(n))
		v := bytes.Repeat([]byte(fmt.Sprint(n, ";")), 200)
		if err := tier.Put(t.Context(), k, v, time.Hour, cache.SchemaTags(team, fmt.Sprint("s", n%100, "@1"))...); err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 {
			if _, err := tier.Drop(t.Context(), cache.SchemaTag(fmt.Sprint("t", n%7), fmt.Sprint("s", n%100))); err != nil {
				t.Fatal(err)
			}
			if v, err := tier.Get(t.Context(), k); !errors.Is(err, cache.ErrMiss) {
				t.Fatalf("Get after Drop = %.20q, %v", v, err)
			}
		}
		older := n - n%3 - 30
		if older < 0 {
			continue
		}
		got, err := tier.Get(t.Context(), keyOf(fmt.Sprint("t", older%7), fmt.Sprint(older)))
		if err == nil {
			hits++
			if !bytes.Equal(got, bytes.Repeat([]byte(fmt.Sprint(older, ";")), 200)) {
				t.Fatalf("entry %d is %.20q", older, got)
			}
		} else if !errors.Is(err, cache.ErrMiss) {
			t.Fatal(err)
		}
	}
	if hits == 0 {
		t.Error("nothing was ever found")
	}
}

func TestRedisLockKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		var n atomic.Int64
		cachetest.RunLock(t, func(t *testing.T) cachetest.LockInstance {
			own := s
			own.Prefix += fmt.Sprint(n.Add(1), ":")
			return cachetest.LockInstance{Lock: cacheredis.NewLock(own.Open(t)), Advance: func(d time.Duration) { own.Age(t, d) }}
		})
	})
}
