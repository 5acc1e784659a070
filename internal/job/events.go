package job

import (
	"context"
	"iter"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// The times of those who watch a job.
const (
	// watchEvery is the time between two looks where no bell rang: what another process did is seen by then.
	watchEvery = time.Second
	// watchRest is the least time between two looks: a job of many items rings often.
	watchRest = 200 * time.Millisecond
)

// watch gives a job as it is, and again whenever it has changed, until it is over: that is the last pair without an error. An error ends it too.
func watch(ctx context.Context, r Reader, b *Bell, reach key.Reach, id ID) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		rung, stop := b.Listen(id)
		defer stop()
		every := time.NewTicker(watchEvery)
		defer every.Stop()
		var last Job
		for first := true; ; first = false {
			j, err := r.Job(ctx, reach, id)
			if err != nil {
				yield(Job{}, err)
				return
			}
			if first || j.moved(last) {
				if !yield(j, nil) || j.State.Final() {
					return
				}
				last = j
			}
			if !sleep(ctx, watchRest) {
				return
			}
			select {
			case <-rung:
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// moved says whether a job is other than it was, as far as callers see.
func (j Job) moved(before Job) bool {
	return j.State != before.State || j.Progress != before.Progress || j.Run != before.Run || j.Gone != before.Gone
}
