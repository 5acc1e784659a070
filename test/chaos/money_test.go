package chaos

import (
	"encoding/json"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/test/history"
)

// mostCall bounds what one call of a run may reserve, in nano-dollars: 2,000 bytes and 50 tokens of output.
const mostCall = 2000*inputNanos + 50*outputNanos

// balance is what a key has spent and reserved, by /v1/me, in nano-dollars.
func (c *caller) balance(t *testing.T) (spent, reserved int64) {
	t.Helper()
	got, err := c.persist(http.MethodGet, "/v1/me", nil, "")
	var me struct {
		Budget struct {
			Spent    json.Number `json:"spent_usd"`
			Reserved json.Number `json:"reserved_usd"`
		}
	}
	if err != nil || json.Unmarshal(got.body, &me) != nil {
		t.Fatalf("/v1/me was answered %d %s, %v", got.status, got.body, err)
	}
	return nanos(t, me.Budget.Spent), nanos(t, me.Budget.Reserved)
}

func nanos(t *testing.T, dollars json.Number) int64 {
	t.Helper()
	r, ok := new(big.Rat).SetString(dollars.String())
	if !ok {
		t.Fatalf("no money: %s", dollars)
	}
	r.Mul(r, big.NewRat(1_000_000_000, 1))
	if !r.IsInt() {
		t.Fatalf("more digits than nano-dollars: %s", dollars)
	}
	return r.Num().Int64()
}

// settle ends all processes in order, and gives what the budget and killed processes have down when every lease has ended, as events: what those held is spent then,
// and nothing is reserved a minute behind that.
func (w *world) settle(t *testing.T, a *adversary) []history.Event {
	t.Helper()
	for _, p := range w.fleet {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
	held, holders, err := w.left()
	if err != nil {
		t.Fatal(err)
	}
	ends := 0 // One that ended in order leaves something only where the database was away then.
	for _, of := range []string{"api ", "worker "} {
		ends += a.done[of+killed] + a.done[of+restarted]
	}
	if holders > ends {
		t.Errorf("%d processes left something reserved, and %d were killed or restarted", holders, ends)
	}
	one := w.of("api")[0]
	if err := one.start(); err != nil {
		t.Fatal(err)
	}
	c := newCaller(w)
	c.base = one.url
	var spent, reserved int64
	bound := time.Until(a.lastKill.Add(limit.DefaultLease + time.Minute))
	if err := await(max(bound, time.Minute), func() bool {
		spent, reserved = c.balance(t)
		return reserved == 0
	}); err != nil {
		t.Errorf("%d nano-dollars are still reserved when every lease has ended: %v", reserved, err)
	}
	var ledger, unheard int64
	calls := w.provider.ended()
	for _, one := range calls {
		ledger += one.cost
		if one.unheard {
			unheard++
		}
	}
	t.Logf("charged $%.6f; the service's ledger $%.6f in %d calls, %d of them unheard; %d processes that were killed, or restarted without a database, held $%.6f", float64(spent)/1e9, float64(ledger)/1e9, len(calls), unheard, holders, float64(held)/1e9)
	now := time.Since(w.begun)
	return []history.Event{{At: now, Kind: history.Killed, Process: "all that were killed", Most: held}, {At: now, Kind: history.Balance, Cost: spent, Most: reserved}}
}
