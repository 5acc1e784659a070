package calltest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// wanted are the outcomes of a fault. OK is in where the answer's end may come before what is wrong.
type wanted struct{ whole, streamed []dialect.Outcome }

// table says what each fault comes to: design/routing.md's outcomes, by which attempts are repeated, moved on or given up.
func table() map[providertest.Fault]wanted {
	each := func(o ...dialect.Outcome) wanted { return wanted{o, o} }
	broken := wanted{[]dialect.Outcome{dialect.Connection}, []dialect.Outcome{dialect.Connection, dialect.OK}}
	foreign := wanted{[]dialect.Outcome{dialect.Unknown}, []dialect.Outcome{dialect.Unknown, dialect.Connection}}
	return map[providertest.Fault]wanted{
		providertest.RateLimited:      each(dialect.RateLimited),
		providertest.Overloaded:       each(dialect.OverloadedProvider),
		providertest.ServerError:      each(dialect.OverloadedProvider),
		providertest.GatewayPage:      each(dialect.OverloadedProvider),
		providertest.ErrorInside:      each(dialect.OverloadedProvider),
		providertest.NotJSON:          foreign,
		providertest.EmptyBody:        each(dialect.Connection),
		providertest.CutBeforeHeaders: each(dialect.Connection),
		providertest.CutBody:          broken,
		providertest.Reset:            broken,
		providertest.LengthTooLong:    broken,
		providertest.LengthTooShort:   broken,
		providertest.NoEnd:            each(dialect.Connection),
		providertest.SlowFirstByte:    each(dialect.OK),
		providertest.Stalled:          broken,
		providertest.StalledFirst:     each(dialect.Connection),
		providertest.StalledLater:     broken,
		providertest.Drip:             each(dialect.OK),
		providertest.Garbage:          foreign,
		providertest.Trailing:         {[]dialect.Outcome{dialect.Unknown}, []dialect.Outcome{dialect.OK, dialect.Unknown}},
		providertest.Unauthorized:     each(dialect.Auth),
		providertest.QuotaExceeded:    each(dialect.Quota),
		providertest.BadRequest:       each(dialect.BadRequest),
		providertest.SchemaRejected:   each(dialect.SchemaRejected),
		providertest.ContextExceeded:  each(dialect.ContextExceeded),
		providertest.ContentBlocked:   each(dialect.Filtered),
		providertest.TooLarge:         each(dialect.TooLarge),
		providertest.Redirected:       each(dialect.BadRequest),
	}
}

// faults brings every fault about, several times, for chance has a part in most.
func faults(t *testing.T, f Form) {
	rows := table()
	for _, fault := range providertest.Faults() {
		if fault == providertest.Oversize {
			continue // It has a test of its own.
		}
		want, ok := rows[fault]
		if !ok {
			t.Errorf("fault %s has no row in the table", fault)
			continue
		}
		if o, ok := f.Outcomes[fault]; ok {
			want = wanted{[]dialect.Outcome{o}, []dialect.Outcome{o}}
		}
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, streamed bool) { f.fault(t, fault, want, streamed) })
		})
	}
}

const pause = 2 * time.Millisecond

func (f Form) fault(t *testing.T, fault providertest.Fault, want wanted, streamed bool) {
	t.Helper()
	const text = `{"name":"somebody who came","age":30}`
	times := 8
	if fault == providertest.Drip {
		times = 1
	}
	outcomes := want.whole
	if streamed {
		outcomes = want.streamed
	}
	service := f.service(t, providertest.Settings{
		Text: text, Slow: pause, Stall: pause, Drip: 10 * time.Microsecond, RetryAfter: 2 * time.Second,
		Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{fault},
	})
	waits := 0
	for i := range times {
		p := f.account(t, service, Key, nil) // Its health would stand in the way of the next call.
		c := plain()
		c.Messages[0].Parts[0].Text = fmt.Sprint("Case ", i)
		r := ask(t, p, c, streamed)
		if !slices.Contains(outcomes, r.attempt.Outcome) {
			t.Errorf("the outcome is %s (%v), want one of %s", r.attempt.Outcome, r.err, outcomes)
		}
		if r.err == nil && r.attempt.Outcome == dialect.OK && r.reply.Text != text {
			t.Errorf("%q passes for a whole answer", r.reply.Text)
		}
		if r.err != nil && r.err.Wait > 0 {
			if waits++; r.err.Wait != 2*time.Second || r.attempt.Outcome != dialect.RateLimited && r.attempt.Outcome != dialect.OverloadedProvider {
				t.Errorf("asked to wait %s for %s, want 2 s", r.err.Wait, r.err.Outcome)
			}
		}
		if !strings.HasPrefix(text, strings.Join(r.pieces, "")) {
			t.Errorf("the pieces %q are not how the answer begins", r.pieces)
		}
	}
	if fault == providertest.RateLimited && (waits == times) == f.Lacks.Waits {
		t.Errorf("%d of %d answers said how long to wait", waits, times)
	}
	for _, e := range service.Exchanges() {
		if e.Fault != fault || e.Bad != "" {
			t.Errorf("exchange %d has fault %s: %s", e.N, e.Fault, e.Bad)
		}
	}
}

// wrongKeys are refused, and that is told from other refusals.
func wrongKeys(t *testing.T, f Form) {
	both(t, func(t *testing.T, streamed bool) {
		service := f.service(t, providertest.Settings{})
		p := f.account(t, service, "anotherkey", nil)
		if r := ask(t, p, plain(), streamed); r.err == nil || r.err.Outcome != dialect.Auth {
			t.Errorf("got %v, want %s", r.err, dialect.Auth)
		}
		if service.Requests() != 0 {
			t.Error("the service let it in")
		}
	})
}

// cutAnywhere cuts answers after every so many of their bytes: what has not come in full never passes for an answer, and what came is how the answer begins.
func cutAnywhere(t *testing.T, f Form) {
	both(t, func(t *testing.T, streamed bool) {
		const stride, text = 41, `{"name":"somebody who came"}`
		service := f.service(t, providertest.Settings{})
		cut := 0
		for n := 1; n < 1<<16; n += stride {
			service.Queue(providertest.Reply{Text: text, Fault: providertest.CutBody, CutAt: n})
			r := ask(t, f.account(t, service, Key, nil), plain(), streamed)
			if r.err == nil {
				if r.reply.Text != text {
					t.Errorf("cut after %d bytes, %q passes for the answer", n, r.reply.Text)
				}
				if cut > 0 {
					return // The cut is behind the end.
				}
				t.Fatal("not one cut came before the end")
			}
			if cut++; r.err.Outcome != dialect.Connection {
				t.Errorf("cut after %d bytes: %v", n, r.err)
			}
			if !strings.HasPrefix(text, strings.Join(r.pieces, "")) {
				t.Errorf("cut after %d bytes, the pieces %q are not how the answer begins", n, r.pieces)
			}
		}
		t.Error("no cut is behind the end")
	})
}
