package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How replicas are watched.
const (
	lookEvery = 500 * time.Millisecond
	// lookPatience is how long a replica may take to say where it is.
	lookPatience = time.Second
	// mostLag is how far a replica may be behind and still be read.
	mostLag = 5 * time.Second
	// slack is how long a record may take from its request to its row: what is younger is read at the primary.
	slack = 10 * time.Second
	// mostMarks are kept: those of a minute.
	mostMarks = 120
	// replicaConns are the connections to a replica at most.
	replicaConns = 4
)

// replicas are the databases that history and usage may be read from. How far each is comes from the log's own positions: at a time, the primary had written so
// far; a replica that has replayed that much has everything of that time. Their clocks, and the times that they tell of what they replayed, do not matter: a replica
// that lost its primary would say that it misses nothing.
type replicas struct {
	list  []*replica
	marks []mark
}

// mark is how far the primary had written at a time.
type mark struct {
	at       time.Time
	position int64
}

// replica is one of them.
type replica struct {
	pool *pgxpool.Pool

	mu sync.Mutex
	// until is the time of which it has everything; zero when it is away.
	until time.Time
	// reading ends what is read there right now, by a number each.
	reading map[int]context.CancelFunc
	last    int
}

// openReplicas makes the pools. A replica need not be there.
func openReplicas(ctx context.Context, urls []string) (*replicas, error) {
	r := &replicas{}
	for _, raw := range urls {
		config, err := parse(raw)
		if err != nil {
			r.close()
			return nil, err
		}
		if !asks(raw, "pool_max_conns") {
			config.MaxConns = replicaConns
		}
		if !asks(raw, "default_query_exec_mode") {
			config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // It works behind a pooler too, and the few large reads here gain nothing by more.
		}
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			r.close()
			return nil, explain(ctx, "open the pool of a replica", err)
		}
		r.list = append(r.list, &replica{pool: pool})
	}
	return r, nil
}

func (r *replicas) close() {
	for _, one := range r.list {
		one.set(time.Time{})
		one.pool.Close()
	}
}

// watch looks at the replicas again and again until the context ends.
func (r *replicas) watch(ctx context.Context, primary *pgxpool.Pool) error {
	if len(r.list) == 0 {
		<-ctx.Done()
		return nil
	}
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		r.look(ctx, primary)
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look asks the primary and each replica how far they are.
func (r *replicas) look(ctx context.Context, primary *pgxpool.Pool) {
	at := time.Now()
	if position, err := positionOf(ctx, primary, "SELECT (pg_current_wal_lsn() - '0/0')::bigint"); err == nil {
		r.marks = append(r.marks, mark{at, position})
		r.marks = r.marks[max(0, len(r.marks)-mostMarks):]
	}
	var all sync.WaitGroup
	for _, one := range r.list {
		all.Go(func() {
			position, err := positionOf(ctx, one.pool, "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END")
			if err != nil {
				one.set(time.Time{})
				return
			}
			one.set(r.reached(position))
		})
	}
	all.Wait()
}

// reached gives the last time of which everything is there at a position.
func (r *replicas) reached(position int64) time.Time {
	for i := len(r.marks) - 1; i >= 0; i-- {
		if r.marks[i].position <= position {
			return r.marks[i].at
		}
	}
	return time.Time{}
}

// errNoPosition is a replica's that is none.
var errNoPosition = errors.New("it does not follow a primary")

func positionOf(ctx context.Context, pool *pgxpool.Pool, query string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	var position *int64
	if err := pool.QueryRow(ctx, query).Scan(&position); err != nil {
		return 0, err
	}
	if position == nil {
		return 0, errNoPosition
	}
	return *position, nil
}

// set notes how far a replica is; one that is away or too far behind ends what is read there, so that nobody waits for it.
func (one *replica) set(until time.Time) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(until) > mostLag {
		until = time.Time{}
	}
	one.until = until
	if until.IsZero() {
		for _, end := range one.reading {
			end()
		}
	}
}

// reaches gives the time of which it has everything; zero when it is not to be read.
func (one *replica) reaches() time.Time {
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.until) > mostLag {
		return time.Time{}
	}
	return one.until
}

// under gives a context that ends when the replica goes away.
func (one *replica) under(ctx context.Context) (bounded context.Context, end func()) {
	bounded, cancel := context.WithCancel(ctx)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.reading == nil {
		one.reading = map[int]context.CancelFunc{}
	}
	one.last++
	number := one.last
	one.reading[number] = cancel
	return bounded, func() {
		cancel()
		one.mu.Lock()
		defer one.mu.Unlock()
		delete(one.reading, number)
	}
}

// best gives the replica that is furthest.
func (r *replicas) best() (best *replica, until time.Time) {
	for _, one := range r.list {
		if u := one.reaches(); u.After(until) {
			best, until = one, u
		}
	}
	return best, until
}

// until gives the time up to which a replica has every record, if one has.
func (r *replicas) until() (time.Time, bool) {
	_, until := r.best()
	return until.Add(-slack), !until.IsZero()
}
