package key

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The times of a verifier. A revocation by another process is seen after pollEvery and the read that follows: well within a second.
const (
	pollEvery = 300 * time.Millisecond
	pollLimit = 500 * time.Millisecond
	noteEvery = 30 * time.Second
	// askAgain is the least time between two looks into the store for keys that are not known, so that made-up keys cost next to nothing.
	askAgain        = 50 * time.Millisecond
	defaultMaxStale = time.Minute
)

// VerifierConfig is what a [Verifier] needs to know.
type VerifierConfig struct {
	// DefaultRateLimitPerHour holds for keys without a limit of their own; 0 means none.
	DefaultRateLimitPerHour int
	// MaxStale is how long keys stay valid while the store can't be read; 0 means a minute.
	MaxStale time.Duration
	// Teams are what keys may use together; nil means that no team has limits.
	Teams TeamStore
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads and writes of the store that went wrong; nil means that nobody is told.
	OnError func(error)
}

// Verifier answers who sent a request. It is safe for concurrent use; [Verifier.Run] keeps it up to date.
type Verifier struct {
	store       Store
	cfg         VerifierConfig
	defaultRate atomic.Int64
	// seen is when the store was last read, asked when somebody last looked for an unknown key, both in Unix nanoseconds.
	seen, asked atomic.Int64
	current     atomic.Pointer[snapshot]

	// mu lets one reader at a time make the next snapshot.
	mu sync.Mutex

	// looking guards look, which is closed when the look into the store that is under way has ended; nil means that none is.
	looking sync.Mutex
	look    chan struct{}
}

// NewVerifier reads every key.
func NewVerifier(ctx context.Context, store Store, cfg VerifierConfig) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	if cfg.MaxStale == 0 {
		cfg.MaxStale = defaultMaxStale
	}
	v := &Verifier{store: store, cfg: cfg}
	v.defaultRate.Store(int64(cfg.DefaultRateLimitPerHour))
	v.current.Store(emptySnapshot())
	if err := v.load(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// Run polls the store's change counter and notes when keys were used, until the context ends; the last uses are noted then.
func (v *Verifier) Run(ctx context.Context) error {
	poll, note := time.NewTicker(pollEvery), time.NewTicker(noteEvery)
	defer poll.Stop()
	defer note.Stop()
	for {
		select {
		case <-poll.C:
			v.Refresh(ctx)
		case <-note.C:
			v.note(ctx)
		case <-ctx.Done():
			v.note(context.WithoutCancel(ctx))
			return nil
		}
	}
}

// Refresh reads what changed in the store. Whoever changes a key in this process calls it, so that the change holds at once.
func (v *Verifier) Refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	if err := v.load(limited); err != nil && ctx.Err() == nil {
		v.cfg.OnError(err)
	}
}

// SetDefaultRateLimit changes the limit of keys without one of their own, when the configuration is read again.
func (v *Verifier) SetDefaultRateLimit(perHour int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.defaultRate.Store(int64(perHour))
	now := v.current.Load()
	all := make([]Held, 0, len(now.held))
	for _, e := range now.held {
		all = append(all, e.held)
	}
	v.current.Store(now.with(all, now.teams, now.version, perHour))
}

// Any says whether a key exists that can be used.
func (v *Verifier) Any() bool { return v.current.Load().any(v.cfg.Now()) }

// Verify gives the caller of a bearer token, or an UNAUTHORIZED fault that says why not.
func (v *Verifier) Verify(ctx context.Context, token string) (*Caller, error) {
	secret, err := ParseSecret(token)
	if err != nil {
		return nil, err
	}
	hash, now := secret.Hash(), v.cfg.Now()
	e, found := v.current.Load().find(&hash, now)
	// A process that was suspended is stale when it wakes: it looks before it refuses.
	if found == unknown || v.stale(now) {
		v.ask(ctx, now)
		e, found = v.current.Load().find(&hash, now)
	}
	switch found {
	case valid:
		if v.stale(now) {
			return nil, fault.New(fault.Overloaded, "keys can't be checked: the store has not answered for %s", v.cfg.MaxStale)
		}
		e.use(now)
		return &e.caller, nil
	case expired:
		return nil, fault.New(fault.Unauthorized, "the key %s expired at %s", e.held.ID, e.held.ExpiresAt.Format(time.RFC3339))
	case revoked:
		return nil, fault.New(fault.Unauthorized, "the key %s was revoked", e.held.ID)
	case rotated:
		return nil, fault.New(fault.Unauthorized, "the key %s has another secret since it was rotated", e.held.ID)
	}
	return nil, fault.New(fault.Unauthorized, "the key is not known here")
}

// Latest gives a caller as its key and team are now, for work that goes on for long behind Verify; one without a key stays as it is. It does not ask whether
// the key can still be used.
func (v *Verifier) Latest(c *Caller) *Caller {
	if e := v.current.Load().held[c.Key]; e != nil {
		return &e.caller
	}
	return c
}

// Fresh says whether keys can be checked: the store was read within MaxStale.
func (v *Verifier) Fresh() bool { return !v.stale(v.cfg.Now()) }

// stale says whether the store has been silent for too long to trust what is known.
func (v *Verifier) stale(now time.Time) bool {
	return now.UnixNano()-v.seen.Load() > int64(v.cfg.MaxStale)
}

// use notes the second of use. Most requests find it noted already and write nothing that other cores read.
func (e *entry) use(now time.Time) {
	if s := now.Unix(); e.lastUsed.Load() < s {
		e.lastUsed.Store(s)
	}
}

// ask looks into the store for a request with an unknown key, which another process may have made just now. Requests that come while somebody looks wait
// for that look: a new key is often used by many at once. A key that is made up has a right checksum too, if its maker reads this, so that looks are rare
// whoever asks. What is known may be newer afterwards even where this request did not look itself.
func (v *Verifier) ask(ctx context.Context, now time.Time) {
	v.looking.Lock()
	look := v.look
	if look != nil {
		v.looking.Unlock()
		select {
		case <-look:
		case <-ctx.Done():
		}
		return
	}
	last, t := v.asked.Load(), now.UnixNano()
	if t-last < int64(askAgain) && t >= last {
		v.looking.Unlock()
		return
	}
	v.asked.Store(t)
	look = make(chan struct{})
	v.look = look
	v.looking.Unlock()
	defer func() {
		v.looking.Lock()
		v.look = nil
		v.looking.Unlock()
		close(look)
	}()
	v.Refresh(ctx)
}

// load makes the next snapshot out of what changed since this one.
func (v *Verifier) load(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	// The time is taken before the read: what is read is at least as new.
	at, now := v.cfg.Now(), v.current.Load()
	changed, version, err := v.store.Changes(ctx, now.version)
	if err == nil && version < now.version {
		// Somebody put an older database in place: nothing that is known counts.
		now = emptySnapshot()
		changed, version, err = v.store.Changes(ctx, now.version)
	}
	if err != nil {
		return err
	}
	if version != now.version || len(changed) > 0 {
		// Teams are few, and read behind the counter that they move: a change that comes later is read here too, and once more at the next look.
		teams, err := allTeams(ctx, v.cfg.Teams)
		if err != nil {
			return err
		}
		v.current.Store(now.with(changed, teams, version, int(v.defaultRate.Load())))
	}
	v.seen.Store(at.UnixNano())
	return nil
}

// note tells the store when keys were used.
func (v *Verifier) note(ctx context.Context) {
	var uses []Use
	now := v.current.Load()
	for id, e := range now.held {
		if s := e.lastUsed.Load(); s > *e.noted {
			uses = append(uses, Use{ID: id, At: time.Unix(s, 0).UTC()})
		}
	}
	if len(uses) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*pollLimit)
	defer cancel()
	if err := v.store.Touch(ctx, uses); err != nil {
		if !errors.Is(err, context.Canceled) {
			v.cfg.OnError(err)
		}
		return
	}
	for _, u := range uses {
		*now.held[u.ID].noted = u.At.Unix()
	}
}
