// Package idempotency keeps the promise of the Idempotency-Key header: the same key and body within 24 hours give the same
// answer, and work is done once.
//
// It is not for coalescing identical requests without a key (package cache), nor for jobs, which keep their own.
//
// The main type is [Keeper]. The first request with a key claims a row in the [Store] under a lease, works, and keeps its
// answer there; one that comes while the first is running waits for it, by a channel in the same process and by looking at the
// row from another. Only final answers are kept: a failure of the service (500 and above) or a refusal to try now (429) frees
// the key, and whoever waits takes it. A process that dies leaves a lease that ends.
package idempotency

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The times and sizes of a keeper.
const (
	defaultKeep  = 24 * time.Hour
	defaultLease = 15 * time.Second
	// lookEvery is how often another process's claim is looked at.
	lookEvery = 100 * time.Millisecond
	// settleLimit bounds the write that ends a claim, which happens even if the caller is gone.
	settleLimit   = 5 * time.Second
	forgetEvery   = 10 * time.Minute
	forgetPortion = 200
	maxKey        = 255
	// MaxBody bounds what is kept of one answer, in bytes: far above any answer of the service. A longer one is not kept.
	MaxBody = 32 << 20
)

// Config is what a [Keeper] may be told; everything has a default.
type Config struct {
	// Keep is how long an answer is kept, Lease how long a claim of a dead process holds.
	Keep, Lease time.Duration
	// OnError is told of writes that went wrong where the caller still gets its answer.
	OnError func(error)
}

// Keeper runs work once a key. It is safe for concurrent use. [Keeper.Run] deletes what is old.
type Keeper struct {
	store Store
	cfg   Config

	// mu guards flights, the work of this process that others may wait for.
	mu      sync.Mutex
	flights map[Name]*flight
}

// flight is work in progress; its answer can be read once done is closed.
type flight struct {
	body     Body
	done     chan struct{}
	response Response
	kept     bool
}

// New makes a keeper.
func New(store Store, cfg Config) *Keeper {
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	if cfg.Lease <= 0 {
		cfg.Lease = defaultLease
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	return &Keeper{store: store, cfg: cfg, flights: map[Name]*flight{}}
}

// Do gives the kept answer of the name, and says that it is a repetition, or runs the work and keeps its answer. The body is the
// hash of the path and the body: another one under the same name is a CONFLICT. What run returns as an error is not kept.
func (k *Keeper) Do(ctx context.Context, n Name, body Body, run func(context.Context) (Response, error)) (r Response, replayed bool, err error) {
	if err := checkKey(n.Key); err != nil {
		return Response{}, false, err
	}
	for {
		f, first := k.board(n, body)
		if first {
			return k.lead(ctx, n, f, run)
		}
		if f.body != body {
			return Response{}, false, conflict()
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Response{}, false, fmt.Errorf("wait for the first request with the idempotency key: %w", context.Cause(ctx))
		}
		if f.kept {
			return f.response, true, nil
		}
		// The first one failed and freed the key: this one may be the next to try.
	}
}

// board gives the flight of a name, and whether the caller leads it.
func (k *Keeper) board(n Name, body Body) (f *flight, first bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f = k.flights[n]; f != nil {
		return f, false
	}
	f = &flight{body: body, done: make(chan struct{})}
	k.flights[n] = f
	return f, true
}

// lead claims the name and does the work. Whatever happens in it, panics too, the flight lands.
func (k *Keeper) lead(ctx context.Context, n Name, f *flight, run func(context.Context) (Response, error)) (Response, bool, error) {
	defer func() {
		k.mu.Lock()
		delete(k.flights, n)
		k.mu.Unlock()
		close(f.done)
	}()
	owner, err := newOwner()
	if err != nil {
		return Response{}, false, err
	}
	answer, taken, err := k.claim(ctx, n, f.body, owner)
	if err != nil {
		return Response{}, false, err
	}
	if !taken {
		f.response, f.kept = answer, true
		return answer, true, nil
	}
	answer, err = k.work(ctx, n, f, owner, run)
	return answer, false, err
}

// claim takes the name, or waits for another process's answer.
func (k *Keeper) claim(ctx context.Context, n Name, body Body, owner string) (answer Response, taken bool, err error) {
	for {
		c, err := k.store.Claim(ctx, n, body, owner, k.cfg.Lease, k.cfg.Keep)
		if err != nil {
			return Response{}, false, unavailable(ctx, err)
		}
		switch c.State {
		case Taken:
			return Response{}, true, nil
		case Answered:
			return c.Response, false, nil
		case OtherBody:
			return Response{}, false, conflict()
		case Running:
		}
		again := time.NewTimer(lookEvery)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return Response{}, false, fmt.Errorf("wait for the first request with the idempotency key: %w", context.Cause(ctx))
		}
	}
}

// work runs under the lease and settles the claim.
func (k *Keeper) work(ctx context.Context, n Name, f *flight, owner string, run func(context.Context) (Response, error)) (answer Response, err error) {
	stop := k.renew(ctx, n, owner)
	finished := false
	defer func() {
		stop()
		if !finished {
			k.settle(ctx, func(ctx context.Context) error { return k.store.Release(ctx, n, owner) })
		}
	}()
	answer, err = run(ctx)
	if err != nil || !final(answer) {
		return answer, err
	}
	stop()
	finished = k.settle(ctx, func(ctx context.Context) error { return k.store.Finish(ctx, n, owner, answer) })
	f.response, f.kept = answer, finished
	return answer, nil
}

// settle ends a claim even if the caller is gone. The caller's answer does not depend on it, so that the error goes to OnError.
func (k *Keeper) settle(ctx context.Context, end func(context.Context) error) bool {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	if err := end(limited); err != nil {
		k.cfg.OnError(fmt.Errorf("settle an idempotency key: %w", err))
		return false
	}
	return true
}

// renew prolongs the lease while work goes on. The stop that it gives waits for its goroutine; it may be called again.
func (k *Keeper) renew(ctx context.Context, n Name, owner string) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		beat := time.NewTicker(k.cfg.Lease / 3)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				if err := k.store.Renew(ctx, n, owner, k.cfg.Lease); err != nil && ctx.Err() == nil {
					k.cfg.OnError(fmt.Errorf("renew the lease of an idempotency key: %w", err))
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// Run deletes old answers until the context ends.
func (k *Keeper) Run(ctx context.Context) error {
	again := time.NewTicker(forgetEvery)
	defer again.Stop()
	for {
		for {
			n, err := k.store.Forget(ctx, k.cfg.Keep, forgetPortion)
			if err != nil && ctx.Err() == nil {
				k.cfg.OnError(fmt.Errorf("delete old idempotency keys: %w", err))
			}
			if err != nil || n < forgetPortion {
				break
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// final says whether an answer is kept: what would be different next time is not, such as a limit or a budget that is spent now.
func final(r Response) bool {
	again := r.Status == 402 || r.Status == 429
	return r.Status > 0 && r.Status < 500 && !again && len(r.Body) <= MaxBody
}

func checkKey(text string) error {
	ok := len(text) >= 1 && len(text) <= maxKey
	for _, c := range []byte(text) {
		ok = ok && c >= 0x20 && c < 0x7f
	}
	if !ok {
		return fault.Invalid("", "format", "Idempotency-Key has 1 to 255 printable ASCII characters", "a UUID is a good choice")
	}
	return nil
}

func conflict() error {
	f := fault.New(fault.Conflict, "the Idempotency-Key was used with another body within the last 24 hours")
	f.Remediation = "Use another Idempotency-Key for another body."
	return f
}

// unavailable tells the caller to come again where its own context did not end: without the store the promise can't be kept.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.As(err, new(*fault.Fault)) {
		return err
	}
	return fault.New(fault.Overloaded, "the idempotency key can't be recorded now").Because(err)
}

func newOwner() (string, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("name the owner of an idempotency key: %w", err)
	}
	return hex.EncodeToString(raw[:]), nil
}
