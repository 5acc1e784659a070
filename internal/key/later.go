package key

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// Accepted gives the caller whose work was accepted earlier under a key, as key and team are now. A key that was revoked since, or is not there any more, is
// UNAUTHORIZED: whoever revokes a key wants its work to end. One that expired since is not: its work was accepted in time.
func (v *Verifier) Accepted(ctx context.Context, id ID) (*Caller, error) {
	now := v.cfg.Now()
	e := v.current.Load().held[id]
	if e == nil || v.stale(now) {
		v.ask(ctx, now)
		e = v.current.Load().held[id]
	}
	switch {
	case v.stale(now):
		return nil, fault.New(fault.Overloaded, "keys can't be checked: the store has not answered for %s", v.cfg.MaxStale)
	case e == nil:
		return nil, lapsed("the key %s, under which this was accepted, is not there any more", id)
	case !e.held.RevokedAt.IsZero():
		return nil, lapsed("the key %s, under which this was accepted, was revoked at %s", id, e.held.RevokedAt.Format(time.RFC3339))
	}
	return &e.caller, nil
}

func lapsed(format string, args ...any) error {
	f := fault.New(fault.Unauthorized, format, args...)
	f.Remediation = "Submit it again with a key that is valid."
	return f
}
