package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/provider"
)

// What a call in a batch takes is held for as long as the batch is open, by whichever process looks after it. A process that dies holds nothing any more; the one that goes on
// holds it again, and what the call has cost is booked in any case.

// apart holds the money of a call in a batch, at the price of batches.
func (p *Purse) apart(ctx context.Context, who *key.Caller, m *provider.Model, e Expected) (Payment, error) {
	if p == nil {
		return Payment{}, nil
	}
	if who = p.latest.of(who); !who.Pays() {
		return Payment{}, nil
	}
	pay := Payment{purse: p, who: who, model: atBatchPrice(m), expected: e}
	if err := pay.holdMoney(ctx); err != nil {
		return Payment{}, &Unpaid{p.refused(ctx, "budget", err), true}
	}
	return pay, nil
}

// again holds an amount, or nothing where so much is not left: then the payment still books what the call has cost.
func (p *Purse) again(ctx context.Context, who *key.Caller, m *provider.Model, amount key.Nanos) (Payment, error) {
	if p == nil {
		return Payment{}, nil
	}
	if who = p.latest.of(who); !who.Pays() {
		return Payment{}, nil
	}
	pay := Payment{purse: p, who: who, model: atBatchPrice(m), amount: amount}
	bills := pay.bills()
	if len(bills) == 0 || p.budgets == nil {
		return pay, nil
	}
	var err error
	if pay.money, err = p.budgets.Reserve(ctx, amount, bills...); fault.Is(err, fault.BudgetExceeded) {
		pay.money, err = p.budgets.Reserve(ctx, 0, bills...)
	}
	return pay, err
}

// bills are the budgets that a payment is held of.
func (y *Payment) bills() []limit.Bill {
	var list []limit.Bill
	for _, b := range boundsOf(y.who) {
		if b.budget != nil {
			list = append(list, limit.Bill{Payer: b.payer, Budget: *b.budget})
		}
	}
	return list
}

// Amount is what was reserved.
func (y *Payment) Amount() key.Nanos { return y.amount }

// Forfeit ends a payment at all that was reserved: nobody knows what became of the call.
func (y *Payment) Forfeit() { y.money.Settle(y.amount) }

// Return ends a payment of a call that was not made.
func (y *Payment) Return() { y.money.Settle(0) }

func atBatchPrice(m *provider.Model) *provider.Model {
	own := *m
	own.Price = m.BatchPrice()
	return &own
}
