package usage

import (
	"context"
	"fmt"
	"time"
)

// The pace of deletion: small portions, with pauses in which requests are recorded.
const (
	purgeEvery   = time.Hour
	purgePortion = 200
	purgePause   = 20 * time.Millisecond
)

// Retention deletes records that are older than the days that are kept. [Retention.Run] owns it.
type Retention struct {
	Store Purger
	// Days is privacy.retention_days; 0 keeps everything.
	Days int
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of a deletion that went wrong; it is tried again an hour later.
	OnError func(error)
}

// Run deletes at once and then every hour, until the context ends.
func (r *Retention) Run(ctx context.Context) error {
	if r.Days <= 0 {
		<-ctx.Done()
		return nil
	}
	again := time.NewTicker(purgeEvery)
	defer again.Stop()
	for {
		if _, err := r.Purge(ctx); err != nil && ctx.Err() == nil && r.OnError != nil {
			r.OnError(err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Purge deletes everything that is too old now, and says how many records that were.
func (r *Retention) Purge(ctx context.Context) (int, error) {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	before := now().AddDate(0, 0, -r.Days)
	deleted := 0
	for {
		n, err := r.Store.Purge(ctx, before, purgePortion)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("delete history before %s: %w", before.Format(time.DateOnly), err)
		}
		if n < purgePortion {
			return deleted, nil
		}
		pause := time.NewTimer(purgePause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return deleted, fmt.Errorf("delete history: %w", ctx.Err())
		}
	}
}
