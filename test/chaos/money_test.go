package chaos

import (
	"encoding/json"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
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

// judgeMoney ends all processes in order and compares the budget with the service's ledger. What killed processes held is spent when its lease has ended, and
// nothing is reserved a minute behind that.
func (w *world) judgeMoney(t *testing.T, a *adversary) {
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
	if kills := a.done["api "+killed] + a.done["worker "+killed]; holders > kills {
		t.Errorf("%d processes left something reserved, and %d were killed", holders, kills)
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
	ledger, unheard, calls := w.provider.sum()
	t.Logf("charged $%.6f; the service's ledger $%.6f in %d calls, %d of them unheard; %d killed processes held $%.6f", float64(spent)/1e9, float64(ledger)/1e9, calls, unheard, holders, float64(held)/1e9)
	if spent < ledger {
		t.Errorf("%d nano-dollars were charged, and the service asks for %d: %d too little", spent, ledger, ledger-spent)
	}
	if most := ledger + held + unheard*mostCall; spent > most {
		t.Errorf("%d nano-dollars were charged, and the service asks for %d: more than what killed processes held, %d, and %d answers that nobody heard", spent, ledger, held, unheard)
	}
}
