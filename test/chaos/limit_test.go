package chaos

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestRateLimitAcrossProcesses: of 10,000 requests to four processes that count in one Redis, no more are admitted than the limit and what has come back of it meanwhile.
func TestRateLimitAcrossProcesses(t *testing.T) {
	const requests, limit = 10_000, 4000
	w := newWorld(t, setting{apis: 4, key: []string{"--rate-limit", strconv.Itoa(limit)}})
	w.provider.slow.Store(int64(0))
	c := newCaller(w)
	todo := make(chan int)
	var group sync.WaitGroup
	begun := time.Now()
	for range 32 {
		group.Go(func() {
			for n := range todo {
				got, err := c.analyze(c.base(), n%5, "") // Cached answers count as well.
				switch {
				case err != nil:
					c.wrong("request %d: %v", n, err)
				case got.status == http.StatusTooManyRequests && got.retryAfter == "":
					c.wrong("request %d: a 429 without Retry-After", n)
				default:
					c.count(strconv.Itoa(got.status))
				}
			}
		})
	}
	for n := range requests {
		todo <- n
	}
	close(todo)
	group.Wait()
	elapsed := time.Since(begun)
	most := limit + int(elapsed.Seconds()*limit/3600) + 1
	admitted, refused := c.counted("200"), c.counted("429")
	t.Logf("%d requests in %s: %d admitted, %d refused; the limit allows %d", requests, elapsed.Round(time.Millisecond), admitted, refused, most)
	// A process that waits too long for Redis admits by its share of the limit, so a busy machine admits a little less.
	if admitted > most || admitted < limit*9/10 || admitted+refused != requests {
		t.Errorf("%d were admitted and %d refused, want %d to %d admitted and 429 for the others: %v", admitted, refused, limit*9/10, most, c.counts)
	}
	c.right(t)
}
