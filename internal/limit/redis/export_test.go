package redis

import (
	"context"
	"time"
)

// RenewAll renews all that is held, as Run does when it is due.
func (l *Limiter) RenewAll(ctx context.Context) error {
	return l.renew(ctx, time.Now().Add(time.Duration(l.named.Add(1))*l.cfg.Lease))
}

// Held counts the keys under which something is held here, or to be given up.
func (l *Limiter) Held() int {
	n := 0
	for _, all := range []*leases{l.places, l.tabs} {
		all.mu.Lock()
		n += len(all.keys)
		all.mu.Unlock()
	}
	return n
}
