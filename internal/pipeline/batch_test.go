package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/value"
)

// slow answers every call with {"n":7} after a time, and remembers how many calls were under way at once.
type slow struct {
	takes         time.Duration
	now, most, in atomic.Int64
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	s.in.Add(1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	select {
	case <-time.After(s.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	const body = `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{\"n\":7}"}}],` +
		`"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func batchOf(t *testing.T, n int, more string) []prompt.Item {
	t.Helper()
	var b strings.Builder
	b.WriteString(`{"schema":` + small + `,"items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"prompt":"There are 7 apples in box %d."}`, i)
	}
	v, err := value.DecodeString(b.String()+`]`+more+`}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	items, err := prompt.ReadBatch(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// A batch takes as long as the provider's limit makes it, in virtual time: n one by one take n seconds, side by side ⌈n/limit⌉.
func TestBatchIsAsFastAsTheProviderAllows(t *testing.T) {
	for _, c := range []struct{ n, limit int }{{1, 64}, {10, 4}, {100, 1}, {100, 10}, {100, 50}, {100, 64}, {100, 200}} {
		t.Run(fmt.Sprintf("%d items at a limit of %d", c.n, c.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &slow{takes: time.Second}
				h := assemble(t, rig{transport: service, account: func(a *provider.Account) { a.MaxConcurrency, a.Timeout = c.limit, time.Hour }}, "http://provider.test")
				defer h.Close()
				items := batchOf(t, c.n, `,"options":{"timeout_ms":600000}`)
				a, err := h.Admit(t.Context(), h.who, c.n)
				if err != nil {
					t.Fatal(err)
				}
				done, summary := h.Batch(t.Context(), a, items)
				for i, d := range done {
					if d.Err != nil {
						t.Fatalf("item %d: %v", i, d.Err)
					}
				}
				if want := (Summary{Total: c.n, Passed: c.n, Cost: summary.Cost, Processing: summary.Processing}); summary != want || !summary.Cost.Known {
					t.Errorf("got the summary %+v, want %+v with a known cost", summary, want)
				}
				if most := int(service.most.Load()); most > c.limit {
					t.Errorf("%d calls were under way at once, the provider's limit is %d", most, c.limit)
				}
				if want := time.Duration((c.n+c.limit-1)/c.limit) * time.Second; summary.Processing != want {
					t.Errorf("the batch took %v, want %v", summary.Processing, want)
				}
				t.Logf("%.1f times as fast as one by one, %.2f of min(n, limit)", float64(c.n)/summary.Processing.Seconds(), float64(c.n)/summary.Processing.Seconds()/float64(min(c.n, c.limit)))
			})
		})
	}
}

func TestAnItemThatFailsLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := assemble(t, rig{transport: &slow{takes: time.Second}}, "http://provider.test")
		defer h.Close()
		items := batchOf(t, 4, "")
		items[1].Fault = fault.New(fault.InvalidRequest, "broken")
		items[2].Prompt.Options.Timeout = 500 * time.Millisecond
		a, err := h.Admit(t.Context(), h.who, len(items))
		if err != nil {
			t.Fatal(err)
		}
		done, s := h.Batch(t.Context(), a, items)
		if done[0].Err != nil || done[3].Err != nil || !fault.Is(done[1].Err, fault.InvalidRequest) || !fault.Is(done[2].Err, fault.Timeout) {
			t.Errorf("got %v, %v, %v, %v, want none, INVALID_REQUEST, TIMEOUT, none", done[0].Err, done[1].Err, done[2].Err, done[3].Err)
		}
		if s.Passed != 2 || s.Failed != 2 || s.Total != 4 {
			t.Errorf("got %+v, want 2 of 4 passed", s)
		}
	})
}

func TestABatchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &slow{takes: time.Hour}
		h := assemble(t, rig{transport: service, account: func(a *provider.Account) { a.MaxConcurrency, a.Timeout = 2, 0 }}, "http://provider.test")
		defer h.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a, err := h.Admit(ctx, h.who, 10)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		done, s := h.Batch(ctx, a, batchOf(t, 10, ""))
		if took := time.Since(began); took > 2*time.Second || s.Failed != 10 {
			t.Errorf("got %+v after %v, want ten failures a second after the beginning", s, took)
		}
		for i, d := range done {
			var failure *Failure
			if !errors.As(d.Err, &failure) {
				t.Errorf("item %d: got %v, want a failure that the history knows", i, d.Err)
			}
		}
		synctest.Wait()
		if n := service.now.Load(); n != 0 {
			t.Errorf("%d calls are still under way", n)
		}
	})
}
