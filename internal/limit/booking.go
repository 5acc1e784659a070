package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Run books what was spent and renews the lease, until the context ends; then it books the rest and gives everything back. It is to end after the last call has.
func (b *Budgets) Run(ctx context.Context) error {
	renew := time.NewTicker(b.cfg.Lease / renewals)
	defer renew.Stop()
	for {
		var err error
		select {
		case <-b.wake:
			err = b.book(ctx, false)
		case <-renew.C:
			err = b.book(ctx, true)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
			defer cancel()
			// What is beyond the pace since the renewal before is given back: after the second that is all.
			b.report(errors.Join(b.book(last, true), b.book(last, true)))
			return nil
		}
		rest := bookEvery
		if err != nil && ctx.Err() == nil {
			b.report(err)
			b.due()
			rest = askAgain
		}
		pause(ctx, rest)
	}
}

func (b *Budgets) report(err error) {
	if err != nil && b.cfg.OnError != nil {
		b.cfg.OnError(err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// book writes what was spent. A renewal writes every account that has something in hand, and gives back what lies beyond its pace since the one before.
func (b *Budgets) book(ctx context.Context, renewal bool) error {
	b.drawing <- struct{}{}
	defer func() { <-b.drawing }()
	list, over := b.accountsDue(renewal)
	if len(list) > 0 {
		if err := b.draw(ctx, list, 0); err != nil {
			return fmt.Errorf("book what was spent of budgets: %w", err)
		}
	}
	b.end(over)
	if now := b.cfg.Now(); renewal && now.Sub(b.forgot) >= forgetEvery {
		b.forgot = now
		return b.cfg.Store.Forget(ctx, now.Add(-keepFor))
	}
	return nil
}

// accountsDue lists those to be written; over are those whose period has ended and that nobody holds any more.
func (b *Budgets) accountsDue(renewal bool) (list, over []*account) {
	now := b.cfg.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.accounts {
		switch free := max(0, a.free()); {
		case !now.Before(a.span.End):
			a.block -= free // Given back: the next draw keeps what is held alone.
		case renewal:
			a.block -= max(0, free-(a.spent-a.before))
		}
		if renewal && !a.idle() || a.spent != a.booked {
			list = append(list, a)
		}
		if renewal && !now.Before(a.span.End) && a.held == 0 && !a.doubt {
			over = append(over, a)
		}
		if renewal {
			a.before = a.spent
		}
	}
	return list, over
}

// end forgets accounts whose period is over and that are booked.
func (b *Budgets) end(over []*account) {
	for _, a := range over {
		b.mu.Lock()
		booked := a.held == 0 && a.spent == a.booked
		if booked {
			delete(b.accounts, accountKey{a.payer.Kind, a.payer.ID, a.span.Label})
		}
		b.mu.Unlock()
		if booked && b.cfg.OnEnd != nil {
			b.cfg.OnEnd(a.payer)
		}
	}
}

// Standing is a budget as its owner sees it.
type Standing struct {
	key.Budget
	Balance
	Span
}

// Left is what can still be reserved.
func (s Standing) Left() key.Nanos { return max(0, s.Limit-s.Spent-s.Reserved) }

// Standing reads how a budget stands, with what this process has not booked yet; a block that it has in hand counts as left.
func (b *Budgets) Standing(ctx context.Context, bill Bill) (Standing, error) {
	span := SpanOf(bill.Period, b.cfg.Now())
	// While nobody draws, what the store has booked and what this process takes for booked is the same: nothing is missing, nothing counts twice.
	select {
	case b.drawing <- struct{}{}:
		defer func() { <-b.drawing }()
	case <-ctx.Done():
		return Standing{}, ctx.Err()
	}
	balance, err := b.cfg.Store.Balance(ctx, bill.Payer, span.Label)
	if err != nil {
		return Standing{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[accountKey{bill.Kind, bill.ID, span.Label}]; a != nil {
		others := max(0, balance.Reserved-a.block)
		balance.Spent += a.spent - a.booked
		balance.Reserved = others + a.held
	}
	return Standing{bill.Budget, balance, span}, nil
}
