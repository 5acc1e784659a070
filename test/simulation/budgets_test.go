package simulation

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// budgets keeps budgets in memory, by the rules of [limit.BudgetStore].
type budgets struct {
	now func() time.Time
	// frees has a lease that lapsed free what it held: a planted bug.
	frees bool

	mu      sync.Mutex
	sums    map[account]*sum
	alerts  []limit.Alert
	holders map[string]key.Nanos // What a holder had leased last, of all accounts together.
}

type account struct{ kind, id, period string }

type sum struct {
	spent   key.Nanos
	at      time.Time
	leases  map[string]*leaseRow
	alerted map[int]bool
}

type leaseRow struct {
	amount, booked key.Nanos
	turn           int64
	until          time.Time
}

func newBudgets(now func() time.Time) *budgets {
	return &budgets{now: now, sums: map[account]*sum{}, holders: map[string]key.Nanos{}}
}

// Draw answers draws.
func (b *budgets) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]limit.Drawn, len(draws))
	for i := range draws {
		b.draw(b.now().UTC(), lease, &draws[i], &out[i])
	}
	return out, nil
}

func (b *budgets) draw(now time.Time, lease time.Duration, d *limit.Draw, out *limit.Drawn) {
	k := account{d.Kind, d.ID, d.Period}
	s := b.sums[k]
	if s == nil {
		s = &sum{leases: map[string]*leaseRow{}, alerted: map[int]bool{}}
		b.sums[k] = s
	}
	mine := s.leases[d.Holder]
	if mine == nil {
		mine = &leaseRow{}
		s.leases[d.Holder] = mine
	}
	if d.Turn < mine.turn {
		out.Balance = b.balance(s, now)
		return
	}
	mine.turn = d.Turn
	s.spent += max(0, d.Spent-mine.booked)
	s.at, mine.booked, mine.amount = now, max(mine.booked, d.Spent), 0
	bal := b.balance(s, now)
	var refused bool
	out.Granted, refused = d.Grant(d.Limit - bal.Spent - bal.Reserved - d.Keep)
	mine.amount, mine.until = d.Keep+out.Granted, now.Add(lease)
	b.holders[d.Holder] = mine.amount
	out.Balance = limit.Balance{Spent: bal.Spent, Reserved: bal.Reserved + mine.amount}
	for _, threshold := range d.Due(bal.Spent, refused) {
		if !s.alerted[threshold] {
			s.alerted[threshold] = true
			a := limit.Alert{ID: int64(len(b.alerts) + 1), Payer: d.Payer, Period: d.Period, Threshold: threshold, Limit: d.Limit, Spent: bal.Spent, At: now.Truncate(time.Microsecond)}
			b.alerts, out.Alerts = append(b.alerts, a), append(out.Alerts, a)
		}
	}
}

func (b *budgets) balance(s *sum, now time.Time) limit.Balance {
	out := limit.Balance{Spent: s.spent}
	for _, l := range s.leases {
		switch {
		case l.until.After(now):
			out.Reserved += l.amount
		case !b.frees:
			out.Spent += l.amount
		}
	}
	return out
}

// Balance reads one.
func (b *budgets) Balance(ctx context.Context, p limit.Payer, period string) (limit.Balance, error) {
	if err := ctx.Err(); err != nil {
		return limit.Balance{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.sums[account{p.Kind, p.ID, period}]; s != nil {
		return b.balance(s, b.now()), nil
	}
	return limit.Balance{}, nil
}

// total is the balance of all accounts together.
func (b *budgets) total() (all limit.Balance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sums {
		one := b.balance(s, b.now())
		all.Spent += one.Spent
		all.Reserved += one.Reserved
	}
	return all
}

// leased is what the accounts of a process have leased, whose holders begin with its name.
func (b *budgets) leased(process string) (all key.Nanos) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for holder, amount := range b.holders {
		if len(holder) > len(process) && holder[:len(process)] == process && holder[len(process)] == '#' {
			all += amount
		}
	}
	return all
}

// Alerts reads alerts.
func (b *budgets) Alerts(ctx context.Context, reach key.Reach, after int64, most int) ([]limit.Alert, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []limit.Alert{}
	for _, a := range b.alerts {
		if a.ID > after && reach.Covers(a.Team) && len(list) < most {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(x, y limit.Alert) int { return cmp.Compare(x.ID, y.ID) })
	return list, nil
}

// Forget deletes what nobody has touched since a time.
func (b *budgets) Forget(ctx context.Context, before time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, s := range b.sums {
		if s.at.Before(before) {
			delete(b.sums, k)
		}
	}
	return nil
}
