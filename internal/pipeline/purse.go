package pipeline

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/provider"
)

// Purse is what calls to providers are paid from: the tokens per minute and the budgets of the key and of its team. Both are reserved before a call, at the most
// that it may take, and settled behind it at what it took. It is safe for concurrent use; a nil Purse holds nobody to anything.
type Purse struct {
	limiter limit.Limiter
	budgets *limit.Budgets
	latest  latest
	meter   Meter
}

// Expected is what a call may take at the most.
type Expected struct {
	// Bytes are those of the texts that are sent: no token has less than one.
	Bytes int
	// Turns counts the messages, where what is around each of them is not in Bytes.
	Turns int
	// Images counts images and files.
	Images int
	// Output are the tokens that are allowed for the answer.
	Output int
}

// The parts of an estimate that are no text.
const (
	// frame is above what a service puts around a conversation, turn above what it puts around each message: its role, a beginning and an end (4 at OpenAI).
	frame, turn = 64, 8
	// imageTokens is above what most services count for an image of usual size (2026-11: 258 a tile at Gemini, to 1,600 at Anthropic, to 1,100 at OpenAI).
	imageTokens = 2000
	// mostImage bounds what is reserved for an image: 16,384 is said to be the bound of Qwen's models, and 63 tiles of Gemini's are within it. Services publish no
	// bound for every model, so a model that counts more is booked at what it says, above what was reserved.
	mostImage = 16_384
	// mostOfMini is for gpt-4o-mini, which counts images at 33 times the tokens of gpt-4o: 2,833, and 5,667 for each of at most 8 tiles (2026-11). It is known by its
	// name; a deployment under another one is not.
	mostOfMini = 2833 + 8*5667
)

// most is an upper bound of the input tokens of a model: what is reserved of a budget must cover the call.
func (e Expected) most(model string) int {
	image := mostImage
	if strings.Contains(model, "gpt-4o-mini") {
		image = mostOfMini
	}
	return e.Bytes + e.Images*image + e.Turns*turn + frame
}

// likely estimates the input tokens, a little high: a token has about four bytes of English, and three of most other texts.
func (e Expected) likely() int { return e.Bytes/3 + e.Images*imageTokens + e.Turns*turn + frame }

// Payment is what is held for one call. The zero Payment holds nothing.
type Payment struct {
	purse    *Purse
	who      *key.Caller
	model    *provider.Model
	expected Expected
	amount   key.Nanos // reserved of the budgets
	money    limit.Held
	tokens   int // reserved of the tokens per minute, of so many bounds: the key's, or both
	bounds   int
}

// Open holds what a call to a model may take. The error is an [Unpaid].
func (p *Purse) Open(ctx context.Context, who *key.Caller, m *provider.Model, e Expected) (Payment, error) {
	if p == nil {
		return Payment{}, nil
	}
	if who = p.latest.of(who); !who.Pays() {
		return Payment{}, nil
	}
	pay := Payment{purse: p, who: who, model: m, expected: e}
	if err := pay.holdTokens(ctx); err != nil {
		return Payment{}, &Unpaid{p.refused(ctx, "tokens", err), false}
	}
	if err := pay.holdMoney(ctx); err != nil {
		pay.settleTokens(0)
		return Payment{}, &Unpaid{p.refused(ctx, "budget", err), true}
	}
	return pay, nil
}

// refused counts a refusal; an error that is none stays what it is.
func (p *Purse) refused(ctx context.Context, kind string, err error) error {
	if ctx.Err() == nil && (fault.Is(err, fault.BudgetExceeded) || fault.Is(err, fault.RateLimitExceeded)) {
		p.meter.Refused(kind)
	}
	return err
}

func (y *Payment) holdTokens(ctx context.Context) error {
	y.tokens = y.expected.likely() + y.expected.Output
	for _, b := range boundsOf(y.who) {
		if b.tokens > 0 {
			d, err := y.purse.limiter.Reserve(ctx, b.tokensKey(), y.tokens, limit.PerMinute(b.tokens))
			switch {
			case errors.Is(err, limit.ErrCost):
				err = b.tokensTooMany(y.tokens)
			case err == nil:
				err = b.tokensRefused(d, y.tokens)
			}
			if err != nil {
				y.settleTokens(0)
				return err
			}
		}
		y.bounds++
	}
	return nil
}

// settleTokens ends the reservations of tokens.
func (y *Payment) settleTokens(used int) {
	for i, b := range boundsOf(y.who) {
		if i < y.bounds && b.tokens > 0 {
			// A limiter in trouble forgets by itself; there is nobody to be told.
			_ = y.purse.limiter.Settle(context.Background(), b.tokensKey(), y.tokens, used, limit.PerMinute(b.tokens)) //nolint:errcheck // As said.
		}
	}
}

func (y *Payment) holdMoney(ctx context.Context) error {
	bills := y.bills()
	switch {
	case len(bills) == 0:
		return nil
	case y.purse.budgets == nil: // A budget that nobody keeps lets nothing through.
		return fault.New(fault.Internal, "a budget is to be held and none is kept")
	}
	most := y.model.Price.Most(y.expected.most(y.model.Name), y.expected.Output)
	if !most.Known {
		return fault.New(fault.Forbidden, "the price of the model is not known, and a budget needs it")
	}
	var err error
	y.amount = key.Nanos(most.Nano)
	y.money, err = y.purse.budgets.Reserve(ctx, y.amount, bills...)
	return err
}

// Close settles a payment with what became of the call.
func (y *Payment) Close(a *provider.Attempt, err error) {
	if y.purse == nil {
		return
	}
	y.settleTokens(y.usedTokens(a, err))
	y.money.Settle(y.cost(a, err))
}

// silent says of a call without a count of its tokens what may have been used all the same: nothing where the service was not reached or refused; all that was
// allowed where its answer had begun; and where it was left waiting, what it had read.
func silent(a *provider.Attempt, err error) (read, wrote bool) {
	switch {
	case errors.Is(err, provider.ErrNotSent):
		return false, false
	case a.Status == http.StatusOK:
		return true, true
	case a.Outcome == dialect.Timeout, a.Outcome == dialect.Cancelled:
		return true, false
	default:
		return false, false
	}
}

// told says that the service's count of the tokens is the whole of it. That of a stream that broke off is not: it may be what the first event said (2026-11: Claude's
// says one token of output), and leaving before the end must not make a call cheaper.
func told(a *provider.Attempt, err error) bool {
	return a.Usage.Known && (err == nil || a.FirstToken == 0)
}

func (y *Payment) usedTokens(a *provider.Attempt, err error) int {
	if told(a, err) {
		return max(0, a.Usage.Input) + max(0, a.Usage.Output)
	}
	used := 0
	read, wrote := silent(a, err)
	if read {
		used += y.expected.likely()
	}
	if wrote {
		used += y.expected.Output
	}
	return used
}

func (y *Payment) cost(a *provider.Attempt, err error) key.Nanos {
	if a.Cost.Known && told(a, err) {
		return key.Nanos(a.Cost.Nano)
	}
	read, wrote := silent(a, err)
	switch {
	case wrote:
		return y.amount
	case read:
		return key.Nanos(y.model.Price.Of(dialect.Usage{Input: y.expected.likely(), Known: true}).Nano)
	default:
		return 0
	}
}

// Unpaid is the error of a call that is not made since nothing is left to pay it from. It is a provider.ErrNotSent and a Fault for the caller.
type Unpaid struct {
	cause error
	// Money says that a cheaper model may be within what is left.
	Money bool
}

// Error is the fault's.
func (u *Unpaid) Error() string { return u.cause.Error() }

// Unwrap gives the fault.
func (u *Unpaid) Unwrap() error { return u.cause }

// Is makes it a call that was not sent.
func (u *Unpaid) Is(target error) bool { return target == provider.ErrNotSent }

// afterUnpaid goes on to a cheaper candidate where money is short; of tokens every candidate needs as many.
func (t *series) afterUnpaid(u *Unpaid) error {
	t.way.mark().out = true
	t.why = "not within the budget"
	if u.Money {
		return t.fail(onward, u.cause)
	}
	return t.fail(stop, u.cause)
}

// expect says what a call may take that is made for somebody.
func expect(who *key.Caller, c *dialect.Call) Expected {
	e := Expected{Output: c.MaxTokens, Turns: len(c.Messages)}
	for i := range c.Messages {
		for _, part := range c.Messages[i].Parts {
			e.Bytes += len(part.Text)
			if part.Image != "" {
				e.Images++
			}
		}
	}
	if who.Pays() && !c.Output.Schema.IsNull() {
		e.Bytes += len(c.Output.Schema.Append(nil))
	}
	return e
}
