package limit

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// The times of budgets.
const (
	// DefaultLease is how long what a process holds stays reserved without a sign of life. Behind it what it held counts as spent: its calls may have been made.
	DefaultLease = time.Minute
	// renewals is how often in the time of a lease it is renewed: two may fail.
	renewals = 3
	// bookEvery bounds how often a process writes what was spent.
	bookEvery = 50 * time.Millisecond
	// askAgain is how long a refusal by the store holds: other processes may have given money back since.
	askAgain = time.Second
	// closing is how long the last booking may take.
	closing = 5 * time.Second
	// keepFor is how long the sums of past periods stay.
	keepFor     = 400 * 24 * time.Hour
	forgetEvery = time.Hour
)

// blockShare is the part of a budget that a process takes in hand at most, so that most reservations cost no write. It takes no more than it has lately used, since
// what it holds counts as spent if it dies. Little is left over near the end: where a block is not to be had, what is left is.
const blockShare = 64

// BudgetsConfig is what Budgets are made from.
type BudgetsConfig struct {
	Store BudgetStore
	// Holder names this process; no other one has the same name, not even after a restart.
	Holder string
	// Lease is how long what this process holds stays its own without a sign of life; 0 means DefaultLease.
	Lease time.Duration
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnAlert is told of alerts that this process has raised, OnBalance of a budget's state whenever it is known anew, OnEnd of a period that is over here,
	// OnError of bookings that failed and are made again. Any may be nil.
	OnAlert   func(Alert)
	OnBalance func(Payer, Balance, key.Nanos)
	OnEnd     func(Payer)
	OnError   func(error)
}

// Budgets reserves money before calls and books what they cost. It is safe for concurrent use, and exact over every process that works on the same store.
//
// A process takes blocks of a budget in hand, by a lease in the store; reservations come out of the block in memory. What was spent is booked by Run, at most
// every 50 ms. Where the block does not do, a reservation waits for the store.
type Budgets struct {
	cfg  BudgetsConfig
	wake chan struct{} // Capacity one: a booking is due.
	// drawing lets one at a time talk to the store, so that what is asked for fits what is held. It comes before mu.
	drawing chan struct{}
	forgot  time.Time // Who has the leave of drawing uses it.

	mu sync.Mutex

	accounts map[accountKey]*account
	opened   int // How many accounts there have been.
}

type accountKey struct {
	kind, id, period string
}

// account is one payer's budget in one period, as this process has it. All of it is guarded by Budgets.mu.
type account struct {
	payer Payer
	span  Span
	// holder names the account in the store. An account that is opened again, for a clock that was set back behind the end of a period, counts from nothing and
	// must not be taken for the one before.
	holder string
	limit  key.Nanos
	// block is what this process has leased; of it held is reserved by calls under way.
	block, held key.Nanos
	// leased is what the store has down for this account.
	leased key.Nanos
	// spent is all that was spent through this process, booked what the store has heard of that. What is not booked is part of the block.
	spent, booked key.Nanos
	// total is what the store knows to be spent by everybody, others what other processes hold.
	total, others key.Nanos
	// refused is until when the store is not asked again for more than left.
	refused time.Time
	left    key.Nanos
	// before is what was spent at the last renewal.
	before key.Nanos
	// turn counts the draws. doubt says that the last one failed, and may have had an effect, or have one still: the store is to be told how the account stands, after which
	// it has none.
	turn  int64
	doubt bool
}

// pace is what calls have used since the last renewal, those under way included.
func (a *account) pace() key.Nanos { return a.spent - a.before + a.held }

// idle says that the store has nothing to hear: there is nothing in hand here, nor a lease of it there.
func (a *account) idle() bool {
	return a.block == 0 && a.leased == 0 && a.spent == a.booked && !a.doubt
}

// free is what can be reserved without the store.
func (a *account) free() key.Nanos { return a.block - a.held - (a.spent - a.booked) }

// NewBudgets makes budgets. Nothing is booked before Run.
func NewBudgets(c BudgetsConfig) *Budgets {
	c.Lease = cmp.Or(c.Lease, DefaultLease)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Budgets{cfg: c, wake: make(chan struct{}, 1), drawing: make(chan struct{}, 1), accounts: map[accountKey]*account{}}
}

// Bill says who pays, by which budget.
type Bill struct {
	Payer
	key.Budget
}

// Held is money that is reserved for one call. The zero Held is none.
type Held struct {
	budgets *Budgets
	amount  key.Nanos
	of      [2]*account // A key's and its team's.
}

// Reserve reserves an amount of each bill's budget, or of none: then the error is a BUDGET_EXCEEDED fault that says when the period ends, or the store's.
// What is reserved is ended by one Settle.
func (b *Budgets) Reserve(ctx context.Context, amount key.Nanos, bills ...Bill) (Held, error) {
	h := Held{budgets: b, amount: amount}
	for i := range bills {
		a, err := b.take(ctx, &bills[i], amount)
		if err != nil {
			h.Settle(0)
			return Held{}, err
		}
		h.of[i] = a
	}
	return h, nil
}

// Settle ends the reservation with what the call has cost, which may be more.
func (h Held) Settle(cost key.Nanos) {
	if h.budgets == nil || h.of[0] == nil {
		return
	}
	b := h.budgets
	b.mu.Lock()
	for _, a := range h.of {
		if a != nil {
			a.held -= h.amount
			a.spent += cost
		}
	}
	b.mu.Unlock()
	if cost > 0 {
		b.due()
	}
}

func (b *Budgets) due() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take reserves of one budget.
func (b *Budgets) take(ctx context.Context, bill *Bill, amount key.Nanos) (*account, error) {
	a, ok, err := b.inHand(bill, amount)
	if ok || err != nil {
		return a, err
	}
	select {
	case b.drawing <- struct{}{}:
		defer func() { <-b.drawing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		// Somebody else may have drawn meanwhile, for everybody; and others may take what was drawn, until nothing is left to draw.
		if a, ok, err = b.inHand(bill, amount); ok || err != nil {
			return a, err
		}
		if err := b.draw(ctx, []*account{a}, amount); err != nil {
			return nil, fmt.Errorf("reserve of the budget of the %s: %w", bill.Payer, err)
		}
	}
}

// inHand reserves without the store, where the block does or the store has just refused as much.
func (b *Budgets) inHand(bill *Bill, amount key.Nanos) (a *account, ok bool, err error) {
	now := b.cfg.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	a = b.account(bill, now)
	switch free := a.free(); {
	case amount <= free:
		a.held += amount
		return a, true, nil
	case now.Before(a.refused) && amount-max(0, free) > a.left:
		return a, false, b.exceeded(a, amount)
	}
	return a, false, nil
}

// account finds the account of a bill. A limit that was changed holds at once: what is in hand beyond calls under way is drawn anew. Bills are to have the limit
// in force, or those of before would bring it back. The mutex is held.
func (b *Budgets) account(bill *Bill, now time.Time) *account {
	span := SpanOf(bill.Period, now)
	k := accountKey{bill.Kind, bill.ID, span.Label}
	a := b.accounts[k]
	if a == nil {
		b.opened++
		a = &account{payer: bill.Payer, span: span, holder: b.cfg.Holder + "#" + strconv.Itoa(b.opened), limit: bill.Limit}
		b.accounts[k] = a
	}
	if a.limit != bill.Limit {
		a.limit, a.refused = bill.Limit, time.Time{}
		a.block -= max(0, a.free())
	}
	return a
}

// draw asks the store on behalf of accounts: least is what the first of them needs beyond what it has; the others keep what they have. Whoever calls it has the
// leave of drawing.
func (b *Budgets) draw(ctx context.Context, accounts []*account, least key.Nanos) error {
	if err := ctx.Err(); err != nil {
		return err // The store is not asked, so there is no doubt.
	}
	b.mu.Lock()
	draws := make([]Draw, len(accounts))
	for i, a := range accounts {
		have := max(0, a.free())
		a.turn++
		draws[i] = Draw{Payer: a.payer, Period: a.span.Label, Holder: a.holder, Limit: a.limit, Turn: a.turn, Spent: a.spent, Keep: a.held, Have: have, Want: have}
		if i == 0 && least > 0 {
			draws[i].Least, draws[i].Want = least, max(have, least+min(a.pace(), a.limit/blockShare))
		}
		// Until it answers the store may have as much down: the answer may be lost, and the next renewal is to give it back.
		a.leased = max(a.leased, a.held+draws[i].Want)
	}
	b.mu.Unlock()
	answers, err := b.cfg.Store.Draw(ctx, b.cfg.Lease, draws)
	now := b.cfg.Now()
	b.mu.Lock()
	if err != nil {
		for _, a := range accounts {
			a.doubt = true
		}
		b.mu.Unlock()
		return err
	}
	for i, a := range accounts {
		d, got := &draws[i], &answers[i]
		// Calls may have begun and ended since. What began came out of the block that the store has just been told of, so there is enough for it.
		a.booked, a.total, a.block = d.Spent, got.Spent, d.Keep+got.Granted
		a.leased, a.doubt = a.block, false
		a.others = max(0, got.Reserved-a.block)
		if a.limit != d.Limit { // It was changed meanwhile: what was granted is not within it for certain.
			a.block = d.Keep
			continue
		}
		if left := max(0, d.Limit-got.Spent-got.Reserved); d.Least > got.Granted {
			a.refused, a.left = now.Add(askAgain), left
		}
	}
	b.mu.Unlock()
	b.tell(draws, answers)
	return nil
}

// tell tells of what the store has answered.
func (b *Budgets) tell(draws []Draw, answers []Drawn) {
	for i := range answers {
		if b.cfg.OnBalance != nil {
			b.cfg.OnBalance(draws[i].Payer, answers[i].Balance, draws[i].Limit)
		}
		for _, alert := range answers[i].Alerts {
			if b.cfg.OnAlert != nil {
				b.cfg.OnAlert(alert)
			}
		}
	}
}

// exceeded says that a budget does not cover an amount, and when it may, if ever. The mutex is held.
func (b *Budgets) exceeded(a *account, amount key.Nanos) error {
	spent, held, period := a.total+a.spent-a.booked, a.held+a.others, a.span.period()
	if amount > a.limit {
		f := fault.New(fault.BudgetExceeded, "the budget of the %s is $%s a %s, and this call may cost up to $%s: it is never admitted", a.payer.Kind, a.limit, period, amount)
		f.Remediation = "Lower options.max_tokens, send less, name a cheaper model, or have the budget raised."
		return f.Because(ErrCost)
	}
	f := fault.New(fault.BudgetExceeded, "the budget of the %s is $%s a %s, of which $%s are spent and $%s reserved for calls under way; this call may cost up to $%s",
		a.payer.Kind, a.limit, period, spent, held, amount)
	if a.limit-spent >= amount {
		f.Remediation = "Try again when the calls under way have ended, lower options.max_tokens, name a cheaper model, or have the budget raised."
		f.RetryAfter = askAgain
		return f
	}
	f.Detail += "; the next " + string(period) + " begins at " + a.span.End.Format(time.RFC3339)
	f.Remediation = "Wait for the next " + string(period) + ", lower options.max_tokens, name a cheaper model, or have the budget raised."
	f.RetryAfter = a.span.End.Sub(b.cfg.Now())
	return f
}

// period is what the span is one of.
func (s Span) period() key.Period {
	if len(s.Label) == len("2026-11") {
		return key.Monthly
	}
	return key.Daily
}
