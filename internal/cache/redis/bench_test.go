package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/cache"
	cacheredis "github.com/promptd/promptd/internal/cache/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// BenchmarkGet reads answers of 2 kB that carry a schema's tags, from one caller and from many at once, and beside them the same bytes by a bare GET.
// Beside the time per read it says the slowest of a hundred, and the processor time of this process, which is what counts on a machine that does other
// work too.
func BenchmarkGet(b *testing.B) {
	s := redistest.One(b)
	client := s.Open(b)
	tier := cacheredis.New(client, 0)
	const keys = 1000
	all := make([]cache.Key, keys)
	for n := range all {
		all[n] = keyOf("team", fmt.Sprint(n))
		if err := tier.Put(context.Background(), all[n], bytes.Repeat([]byte("answer; "), 256), time.Hour, cache.SchemaTags("team", "invoice@3")...); err != nil {
			b.Fatal(err)
		}
	}
	bare := func(n int) error {
		return client.Do(context.Background(), func(c rueidis.Builder) rueidis.Completed {
			return c.Get().Key(client.Key("team", "answer1", all[n].String())).Build()
		}).Error()
	}
	tiered := func(n int) error {
		_, err := tier.Get(context.Background(), all[n])
		return err
	}
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("tier/", callers), func(b *testing.B) { measure(b, callers, keys, tiered) })
		b.Run(fmt.Sprint("bare/", callers), func(b *testing.B) { measure(b, callers, keys, bare) })
	}
}

// measure has so many callers read keys in turn.
func measure(b *testing.B, callers, keys int, read func(n int) error) {
	b.Helper()
	b.ReportAllocs()
	took := make([]time.Duration, b.N)
	before := processor(b)
	var group sync.WaitGroup
	b.ResetTimer()
	for c := range callers {
		group.Go(func() {
			for n := c; n < b.N; n += callers {
				begun := time.Now()
				if err := read(n % keys); err != nil {
					b.Error(err)
					return
				}
				took[n] = time.Since(begun)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64((processor(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "gets/s")
}

// processor gives the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
