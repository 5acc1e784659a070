// Package redis is the limiter that all processes share: exact over as many as count in the same Redis.
//
// It is not for what happens while Redis is away: then each call is an error, and [limit.Shared] goes on by itself. The main type is [Limiter].
//
// A decision is one script, hence one round trip, and decided by the server's clock: those of processes do not matter. Scripts keep and compare instants exactly, as
// [limit.State] and [limit.Tab] do; what follows for the caller is worked out here, from the state that a script found, by the same functions that the limiter
// inside the process uses.
//
// What is held for a call under way, a reservation or a place, has a lease under a name of its own, which Run renews. So a process that dies holds nothing
// for longer than that; an answer that got lost is put right by the next call, or by Run; and a server that lost its data hears again what is held.
//
// Every key goes by itself some time after it says nothing any more. A server that must not forget has to keep them: no eviction ([Evicts] tells), and a disk or a replica
// against restarts. One that has forgotten a key takes its whole limit to be there.
//
// Locks: leases.mu is not held while the server is asked, but for leases that it lost.
package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/redis"
)

// DefaultLease is how long a process holds what it does not renew.
const DefaultLease = 30 * time.Second

// settleFor bounds a call that must be made although its caller has gone; the client's own limit is shorter.
const settleFor = time.Second

// Config is what a Limiter is made from.
type Config struct {
	Client *redis.Client
	// Lease is how long what a process holds stays its own without a sign of life; 0 means DefaultLease.
	Lease time.Duration
	// Now is a clock in place of the server's, for tests; leases are counted by it too.
	Now func() time.Time
	// OnError is told of renewals that failed and are made again; it may be nil.
	OnError func(error)
}

// Limiter counts in Redis. Run renews what it holds.
type Limiter struct {
	cfg    Config
	script scripts
	holder string
	named  atomic.Uint64
	places *leases
	tabs   *leases
}

// New makes a limiter. Nothing runs in the background until Run is called.
func New(c Config) *Limiter {
	if c.Lease <= 0 {
		c.Lease = DefaultLease
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	var name [8]byte
	_, _ = rand.Read(name[:]) //nolint:errcheck // It never fails.
	return &Limiter{cfg: c, script: newScripts(), holder: hex.EncodeToString(name[:]), places: newLeases(), tabs: newLeases()}
}

// name gives a token that nobody else has.
func (l *Limiter) name() string {
	return l.holder + ":" + strconv.FormatUint(l.named.Add(1), 36)
}

// clock gives the first arguments of every script: the time, or nothing, which is the server's.
func (l *Limiter) clock() (seconds, nanos string) {
	if l.cfg.Now == nil {
		return "", ""
	}
	now := l.cfg.Now()
	return strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond())
}

// rates gives the first arguments of the scripts of rates.
func (l *Limiter) rates(p limit.Policy, more ...string) []string {
	const second = int64(time.Second)
	now, nanos := l.clock()
	unit, part := int64(p.Period)/int64(p.Limit), int64(p.Period)%int64(p.Limit)
	args := make([]string, 0, 12)
	args = append(args, now, nanos,
		decimal(unit/second), decimal(unit%second), decimal(part), strconv.Itoa(p.Limit),
		decimal(int64(p.Period)/second), decimal(int64(p.Period)%second))
	return append(args, more...)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// lease is the lease in milliseconds.
func (l *Limiter) lease() string { return decimal(l.cfg.Lease.Milliseconds()) }

// run runs a script whose answer is a list of so many integers.
func (l *Limiter) run(ctx context.Context, s *redis.Script, keys, args []string, want int) ([]int64, error) {
	got, err := l.cfg.Client.Run(ctx, s, keys, args).AsIntSlice()
	if err != nil {
		return nil, err
	}
	if len(got) != want {
		return nil, fmt.Errorf("limit: a script of Redis answered with %d numbers, want %d", len(got), want)
	}
	return got, nil
}

// check is what comes before every call.
func check(ctx context.Context, cost int, p limit.Policy) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return limit.Check(cost, p)
}

// instant makes one number of nanoseconds of an answer's seconds and nanoseconds. Until the year 2116 it is below 2^62.
func instant(seconds, nanos int64) int64 { return seconds*int64(time.Second) + nanos }

// state reads the state that a script found.
func state(a []int64) limit.State {
	return limit.State{Nanos: instant(a[0], a[1]), Part: uint64(a[2]), Whole: uint64(a[3])} //nolint:gosec // Scripts keep no negative numbers.
}

// lasting is a context for what is to be done although the caller has gone.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleFor)
}

var _ limit.Ledger = (*Limiter)(nil)
