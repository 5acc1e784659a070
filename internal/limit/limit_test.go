package limit_test

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/limit"
)

func TestHeadersFollowTheDraft(t *testing.T) {
	t.Parallel()
	hour := limit.Named{Name: "hour", Policy: limit.PerHour(1000), Decision: limit.Decision{Allowed: true, Limit: 1000, Remaining: 999, ResetAfter: 3600 * time.Millisecond}}
	tokens := limit.Named{Name: "tokens", Policy: limit.PerMinute(90_000), Decision: limit.Decision{Limit: 90_000, ResetAfter: time.Minute, RetryAfter: time.Second}}
	for _, c := range []struct {
		what, got, want string
	}{
		{"policy", limit.PolicyHeader(hour), `"hour";q=1000;w=3600`},
		{"remaining", limit.RemainingHeader(hour), `"hour";r=999;t=4`},
		{"two policies", limit.PolicyHeader(hour, tokens), `"hour";q=1000;w=3600, "tokens";q=90000;w=60`},
		{"two remainders", limit.RemainingHeader(hour, tokens), `"hour";r=999;t=4, "tokens";r=0;t=60`},
		{"none", limit.PolicyHeader() + limit.RemainingHeader(), ``},
		{"part of a second", limit.PolicyHeader(limit.Named{Name: "x", Policy: limit.Policy{Limit: 1, Period: 1500 * time.Millisecond}}), `"x";q=1;w=2`},
		{"name in need of escapes", limit.PolicyHeader(limit.Named{Name: "a\"b\\c\r\nü", Policy: limit.PerMinute(1)}), `"a\"b\\c";q=1;w=60`},
		{"more than 15 digits", limit.RemainingHeader(limit.Named{Name: "x", Decision: limit.Decision{Remaining: 1 << 60}}), `"x";r=999999999999999;t=0`},
		{"retry", limit.RetryAfterHeader(3600 * time.Millisecond), "4"},
		{"retry at a whole second", limit.RetryAfterHeader(3 * time.Second), "3"},
		{"retry at once", limit.RetryAfterHeader(0), "1"},
		{"retry never before", limit.RetryAfterHeader(1), "1"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestRefusalIsAFaultWithItsWait(t *testing.T) {
	t.Parallel()
	p := limit.PerHour(1000)
	if err := (limit.Decision{Allowed: true}).Fault("requests", p); err != nil {
		t.Errorf("an allowed request has the fault %v", err)
	}
	err := limit.Decision{Limit: 1000, RetryAfter: 3600 * time.Millisecond}.Fault("requests", p)
	if f := fault.Of(err); f.Code != fault.RateLimitExceeded || f.RetryAfter != 3600*time.Millisecond {
		t.Errorf("got %+v, want RATE_LIMIT_EXCEEDED with 3.6 s", f)
	}
	if want := "the limit of 1000 requests in 1h0m0s is used up: 0 left, more in 4 s"; fault.Of(err).Detail != want {
		t.Errorf("detail %q, want %q", fault.Of(err).Detail, want)
	}
}

func TestLargestPolicyDoesNotOverflow(t *testing.T) {
	t.Parallel()
	p := limit.Policy{Limit: limit.MaxLimit, Period: limit.MaxPeriod}
	const now = int64(1) << 61 // A wall clock in nanoseconds, with 36 years to spare.
	s, d := limit.State{}.Advance(now, limit.MaxLimit, p)
	if !d.Allowed || d.Remaining != 0 || d.ResetAfter != limit.MaxPeriod {
		t.Errorf("the whole of the largest limit: %+v, want it admitted with nothing left", d)
	}
	if _, d := s.Advance(now, 1, p); d.Allowed || d.RetryAfter != 28761 { // 366 days / 2^40, rounded up.
		t.Errorf("one more: %+v, want a refusal for 28761 ns", d)
	}
	if s, d := s.Advance(now+1, 0, limit.Policy{Limit: 1, Period: time.Millisecond}); !d.Allowed || s.Nanos != now+1+int64(time.Millisecond) {
		t.Errorf("under the smallest policy: %+v, %+v, want the state at its horizon", s, d)
	}
}
