package job_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/job"
)

// uncountable leads and reaps, and can't count what waits.
type uncountable struct {
	leads  bool
	reaped int
	counts int
}

func (u *uncountable) Reap(context.Context, job.Policy) (job.Reaped, error) {
	u.reaped++
	return job.Reaped{Due: []job.Priority{job.Normal}}, nil
}

func (u *uncountable) Lead(context.Context, string, string, time.Duration) (bool, error) {
	return u.leads, nil
}

func (u *uncountable) Depth(ctx context.Context) ([]job.Depth, error) {
	u.counts++
	<-ctx.Done()
	return nil, ctx.Err()
}

// announced counts messages.
type announced int

func (a *announced) Announce(list ...broker.Message) { *a += announced(len(list)) }

func TestACountThatFailsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leads        bool
		reaped, told int
	}{"who leads": {true, 30, 1}, "who does not": {false, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, said, told := &uncountable{leads: c.leads}, error(nil), announced(0)
				r := job.NewReaper(job.ReaperConfig{Store: u, Holder: "r", Bell: &job.Bell{}, Announce: &told, OnError: func(err error) { said = err }})
				ctx, stop := context.WithTimeout(t.Context(), 50*time.Second)
				defer stop()
				if err := r.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if u.reaped < c.reaped || (u.reaped > 0) != c.leads {
					t.Errorf("reaped %d times in 50 s, want at least %d", u.reaped, c.reaped)
				}
				if (u.counts > 0) != c.leads || errors.Is(said, context.DeadlineExceeded) != c.leads {
					t.Errorf("counted %d times, said %v", u.counts, said)
				}
				if int(told) != c.told {
					t.Errorf("announced %d times what stayed due, want %d", told, c.told)
				}
			})
		})
	}
}
