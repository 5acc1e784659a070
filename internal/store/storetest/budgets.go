package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

func budgetContracts() []contract {
	return []contract{
		{"a draw grants what is wanted, what is left, or what is in hand", budgetGrants},
		{"what is booked twice counts once", budgetBooksOnce},
		{"a draw behind a later one changes nothing", budgetTurns},
		{"what a lease held that has lapsed counts as spent, until its holder wakes", budgetLapses},
		{"payers and periods are apart", budgetsAreApart},
		{"alerts are raised once in a period", budgetAlerts},
		{"draws are made together or not at all", budgetDrawsTogether},
		{"what nobody touches is forgotten", budgetForgets},
		{"holders never reserve more than the budget", budgetHolders},
		{"parallel calls of several processes never overspend", budgetOverspend},
		{"what a process held that dies counts as spent", budgetDeath},
		{"a new period begins with the whole budget", budgetPeriods},
		{"a clock that was set back books all the same", budgetClockSetBack},
		{"a call dearer than the whole budget is told so", budgetNeverCovers},
		{"an idle account is written no more, and one that holds is renewed", budgetRenews},
		{"what was granted by an answer that was lost is given back", budgetLostAnswer},
		{"what was granted by a call that took effect late is given back", budgetLateCall},
		{"a limit that changes holds at once", budgetChanges},
		{"a limit that changes during a booking holds at once", budgetChangesMeanwhile},
	}
}

const holding = time.Minute

func sampleDraw() limit.Draw {
	return limit.Draw{Payer: limit.KeyPayer("key_1", "acme"), Period: "2026-11", Limit: 1000}
}

func draw(t *testing.T, s Stores, holder string, d limit.Draw) limit.Drawn {
	t.Helper()
	d.Holder = holder
	got, err := s.Budgets.Draw(t.Context(), holding, []limit.Draw{d})
	must(t, err)
	return got[0]
}

func budgetGrants(t *testing.T, s Stores, _ *Clock) {
	a, b := sampleDraw(), sampleDraw()
	a.Want, a.Least = 600, 100
	if got := draw(t, s, "a", a); got.Granted != 600 || got.Balance != (limit.Balance{Reserved: 600}) {
		t.Errorf("the first draw: got %+v, want 600 of 1000", got)
	}
	b.Want, b.Least = 600, 100
	if got := draw(t, s, "b", b); got.Granted != 400 || got.Reserved != 1000 {
		t.Errorf("the second draw: got %+v, want the 400 that are left", got)
	}
	b.Keep, b.Have, b.Want, b.Least = 150, 250, 700, 300
	if got := draw(t, s, "b", b); got.Granted != 250 {
		t.Errorf("a draw that can't be granted: got %+v, want the 250 in hand", got)
	}
	a.Keep, a.Have, a.Want, a.Least, a.Spent = 0, 0, 0, 0, 90
	if got := draw(t, s, "a", a); got.Granted != 0 || got.Balance != (limit.Balance{Spent: 90, Reserved: 400}) {
		t.Errorf("giving back: got %+v, want 90 spent and 400 reserved", got)
	}
	b.Keep, b.Have, b.Want, b.Least = 2000, 0, 5, 5
	if got := draw(t, s, "b", b); got.Granted != 0 || got.Reserved != 2000 {
		t.Errorf("calls that hold more than there is: got %+v, want them kept and nothing granted", got)
	}
}

func budgetBooksOnce(t *testing.T, s Stores, _ *Clock) {
	d := sampleDraw()
	for _, c := range []struct{ total, want key.Nanos }{{100, 100}, {100, 100}, {250, 250}, {250, 250}, {90, 250}, {251, 251}} {
		d.Spent = c.total
		if got := draw(t, s, "a", d); got.Spent != c.want {
			t.Errorf("after %d in all: got %d booked, want %d", c.total, got.Spent, c.want)
		}
	}
	d.Spent = 9
	if got := draw(t, s, "b", d); got.Spent != 260 {
		t.Errorf("another holder: got %d booked, want 260", got.Spent)
	}
}

func budgetTurns(t *testing.T, s Stores, clock *Clock) {
	d := sampleDraw()
	d.Turn, d.Want, d.Least = 1, 400, 400
	draw(t, s, "a", d)
	late := d
	late.Turn, late.Spent, late.Keep, late.Want, late.Least = 2, 100, 100, 500, 300
	d.Turn, d.Spent, d.Want, d.Least = 3, 150, 0, 0
	draw(t, s, "a", d)
	clock.Advance(holding / 2)
	for _, turn := range []int64{2, 0} {
		late.Turn = turn
		if got := draw(t, s, "a", late); got.Granted != 0 || got.Balance != (limit.Balance{Spent: 150}) {
			t.Errorf("draw %d behind draw 3: got %+v, want nothing granted, 150 spent and nothing reserved", turn, got)
		}
	}
	if got, err := s.Budgets.Balance(t.Context(), d.Payer, d.Period); err != nil || got != (limit.Balance{Spent: 150}) {
		t.Errorf("after the late draws: got %+v, %v, want 150 spent and nothing reserved", got, err)
	}
	d.Keep = 20
	if got := draw(t, s, "a", d); got.Reserved != 20 {
		t.Errorf("the same draw again: got %+v, want 20 reserved", got)
	}
	other := sampleDraw()
	other.Turn, other.Want, other.Least = 1, 70, 70
	if got := draw(t, s, "b", other); got.Granted != 70 || got.Balance != (limit.Balance{Spent: 150, Reserved: 90}) {
		t.Errorf("another holder's first draw: got %+v, want 70 granted", got)
	}
}

func budgetLapses(t *testing.T, s Stores, clock *Clock) {
	dead, other := sampleDraw(), sampleDraw()
	dead.Spent, dead.Keep, dead.Want = 100, 300, 400
	draw(t, s, "dead", dead)
	other.Want, other.Least = 900, 300
	if got := draw(t, s, "other", other); got.Granted != 0 || got.Balance != (limit.Balance{Spent: 100, Reserved: 700}) {
		t.Errorf("beside the lease: got %+v, want nothing of the 200 that are left", got)
	}
	clock.Advance(holding)
	got, err := s.Budgets.Balance(t.Context(), dead.Payer, dead.Period)
	must(t, err)
	if got != (limit.Balance{Spent: 800}) {
		t.Errorf("after the lease: got %+v, want 800 spent and nothing reserved", got)
	}
	other.Least = 1
	if got := draw(t, s, "other", other); got.Granted != 200 || got.Balance != (limit.Balance{Spent: 800, Reserved: 200}) {
		t.Errorf("after the lease: got %+v, want the 200 that are left", got)
	}
	dead.Spent, dead.Keep, dead.Want = 150, 20, 0 // It only slept.
	if got := draw(t, s, "dead", dead); got.Balance != (limit.Balance{Spent: 150, Reserved: 220}) {
		t.Errorf("a holder that wakes: got %+v, want 50 more booked, and what it holds", got)
	}
}

func budgetsAreApart(t *testing.T, s Stores, _ *Clock) {
	d := sampleDraw()
	d.Spent = 7
	draw(t, s, "a", d)
	team, month, other := d, d, d
	team.Payer, month.Period, other.Payer = limit.TeamPayer("key_1"), "2026-12", limit.KeyPayer("key_2", "acme")
	for _, one := range []limit.Draw{team, month, other} {
		got, err := s.Budgets.Balance(t.Context(), one.Payer, one.Period)
		must(t, err)
		if got != (limit.Balance{}) {
			t.Errorf("%s in %s: got %+v, want nothing", one.Payer, one.Period, got)
		}
	}
	for _, name := range strange() {
		odd := d
		odd.Payer = limit.KeyPayer(key.ID(name), "acme")
		draw(t, s, "a", odd)
		got, err := s.Budgets.Balance(t.Context(), odd.Payer, odd.Period)
		must(t, err)
		if got.Spent != 7 {
			t.Errorf("the payer %q: got %+v, want 7 spent", name, got)
		}
	}
}

func budgetAlerts(t *testing.T, s Stores, clock *Clock) {
	d := sampleDraw()
	raised := func(holder string, spent, least key.Nanos) []int {
		t.Helper()
		d.Spent, d.Least, d.Want = spent, least, least
		var got []int
		for _, a := range draw(t, s, holder, d).Alerts {
			got = append(got, a.Threshold)
		}
		return got
	}
	for _, c := range []struct {
		holder       string
		spent, least key.Nanos
		want         []int
	}{
		{"a", 799, 900, nil}, {"a", 800, 0, []int{80}}, {"a", 810, 0, nil}, {"b", 10, 0, nil}, {"a", 810, 500, []int{100}}, {"a", 980, 900, nil}, {"a", 1000, 0, nil},
	} {
		if diff := cmp.Diff(c.want, raised(c.holder, c.spent, c.least)); diff != "" {
			t.Errorf("%s with %d spent and %d needed (-want +got):\n%s", c.holder, c.spent, c.least, diff)
		}
	}
	d.Period = "2026-12"
	if diff := cmp.Diff([]int{80, 100}, raised("a", 1000, 0)); diff != "" {
		t.Errorf("the next period (-want +got):\n%s", diff)
	}
	got, err := s.Budgets.Alerts(t.Context(), key.OfTeam("acme"), 0, 10)
	must(t, err)
	want := limit.Alert{ID: got[0].ID, Payer: d.Payer, Period: "2026-11", Threshold: 80, Limit: 1000, Spent: 800, At: clock.Now().UTC()}
	if diff := cmp.Diff(want, got[0]); diff != "" || len(got) != 4 {
		t.Errorf("%d alerts, want 4; the first differs (-want +got):\n%s", len(got), diff)
	}
	if rest, err := s.Budgets.Alerts(t.Context(), key.AllTeams(), got[1].ID, 1); err != nil || len(rest) != 1 || rest[0].ID != got[2].ID {
		t.Errorf("the alert after the second: got %+v, %v", rest, err)
	}
	for _, reach := range []key.Reach{{}, key.OfTeam("beta")} {
		if none, err := s.Budgets.Alerts(t.Context(), reach, 0, 10); err != nil || none == nil || len(none) != 0 {
			t.Errorf("alerts outside the reach: got %v, %v, want an empty list", none, err)
		}
	}
}

func budgetDrawsTogether(t *testing.T, s Stores, _ *Clock) {
	mine, team := sampleDraw(), sampleDraw()
	mine.Spent, team.Spent, team.Payer = 5, 5, limit.TeamPayer("acme")
	mine.Holder, team.Holder = "a", "a"
	_, err := s.Budgets.Draw(cancelled(), holding, []limit.Draw{mine, team})
	wantCancelled(t, "Draw", err)
	for _, p := range []limit.Payer{mine.Payer, team.Payer} {
		if got, err := s.Budgets.Balance(t.Context(), p, mine.Period); err != nil || got != (limit.Balance{}) {
			t.Errorf("%s: got %+v, %v, want nothing", p, got, err)
		}
	}
	got, err := s.Budgets.Draw(t.Context(), holding, []limit.Draw{mine, team})
	must(t, err)
	if len(got) != 2 || got[0].Spent != 5 || got[1].Spent != 5 {
		t.Errorf("got %+v, want both booked", got)
	}
	_, err = s.Budgets.Balance(cancelled(), mine.Payer, mine.Period)
	wantCancelled(t, "Balance", err)
}

func budgetForgets(t *testing.T, s Stores, clock *Clock) {
	old := sampleDraw()
	old.Spent = 5
	draw(t, s, "a", old)
	clock.Advance(time.Hour)
	fresh := old
	fresh.Payer = limit.TeamPayer("acme")
	draw(t, s, "a", fresh)
	must(t, s.Budgets.Forget(t.Context(), clock.Now().Add(-time.Minute)))
	for p, want := range map[limit.Payer]key.Nanos{old.Payer: 0, fresh.Payer: 5} {
		if got, err := s.Budgets.Balance(t.Context(), p, old.Period); err != nil || got.Spent != want {
			t.Errorf("%s: got %+v, %v, want %d spent", p, got, err, want)
		}
	}
}

func budgetHolders(t *testing.T, s Stores, _ *Clock) {
	var granted atomic.Int64
	must(t, together(16, func(i int) error {
		d := sampleDraw()
		d.Want, d.Least, d.Holder = 100, 30, fmt.Sprint("holder-", i)
		got, err := s.Budgets.Draw(context.Background(), holding, []limit.Draw{d})
		if err == nil {
			granted.Add(int64(got[0].Granted))
		}
		return err
	}))
	if granted.Load() != 1000 {
		t.Errorf("%d of 1000 are granted, want all and no more", granted.Load())
	}
}

// process is a process that spends: budgets with their owner running.
func process(t *testing.T, s Stores, holder string, now func() time.Time) (b *limit.Budgets, end func()) {
	t.Helper()
	b = limit.NewBudgets(limit.BudgetsConfig{Store: s.Budgets, Holder: holder, Lease: holding, Now: now, OnError: func(err error) { t.Errorf("%s: %v", holder, err) }})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { must(t, b.Run(ctx)) })
	end = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(end)
	return b, end
}

func budgetOverspend(t *testing.T, s Stores, clock *Clock) {
	const callers, cost, reserved = 200, 70, 100
	mine := limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: key.Budget{Limit: 10_000, Period: key.Daily}}
	team := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 9_000, Period: key.Monthly}}
	var ends []func()
	var spent, most, held atomic.Int64
	var processes []*limit.Budgets
	for i := range 3 {
		b, end := process(t, s, fmt.Sprint("process-", i), clock.Now)
		processes, ends = append(processes, b), append(ends, end)
	}
	must(t, together(callers, func(i int) error {
		h, err := processes[i%len(processes)].Reserve(context.Background(), reserved, mine, team)
		if fault.Is(err, fault.BudgetExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if now := held.Add(reserved) + spent.Load(); now > most.Load() {
			most.Store(now)
		}
		spent.Add(cost)
		held.Add(-reserved)
		h.Settle(cost)
		return nil
	}))
	for _, end := range ends {
		end()
	}
	if spent.Load() > 9_000 || most.Load() > 9_000+int64(callers) {
		t.Errorf("%d were spent, want at most 9000", spent.Load())
	}
	for _, bill := range []limit.Bill{mine, team} {
		got, err := s.Budgets.Balance(t.Context(), bill.Payer, limit.SpanOf(bill.Period, clock.Now()).Label)
		must(t, err)
		if got != (limit.Balance{Spent: key.Nanos(spent.Load())}) {
			t.Errorf("%s: got %+v, want %d spent and nothing reserved", bill.Payer, got, spent.Load())
		}
	}
	// What is left is there for whoever comes later, to the last call that it covers.
	last, _ := process(t, s, "the last", clock.Now)
	for {
		h, err := last.Reserve(t.Context(), reserved, mine, team)
		if err != nil {
			wantCode(t, "the end of the budget", err, fault.BudgetExceeded)
			break
		}
		h.Settle(cost)
		spent.Add(cost)
	}
	if spent.Load() > 9_000 || spent.Load() <= 9_000-reserved {
		t.Errorf("%d were spent at the end, want between 8900 and 9000", spent.Load())
	}
}

func budgetDeath(t *testing.T, s Stores, clock *Clock) {
	bill := limit.Bill{Payer: limit.KeyPayer("key_1", "acme"), Budget: key.Budget{Limit: 1000, Period: key.Daily}}
	dead := limit.NewBudgets(limit.BudgetsConfig{Store: s.Budgets, Holder: "dead", Lease: holding, Now: clock.Now})
	spent, err := dead.Reserve(t.Context(), 400, bill)
	must(t, err)
	spent.Settle(300)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = dead.Reserve(t.Context(), 600, bill) // Under way when it dies; it makes the process book what it had spent.
	must(t, err)
	if _, err := dead.Reserve(ctx, 600, bill); !errors.Is(err, context.Canceled) && !fault.Is(err, fault.BudgetExceeded) {
		t.Errorf("a caller that has gone: got %v, want its context's error or a refusal", err)
	}
	next, _ := process(t, s, "next", clock.Now)
	_, err = next.Reserve(t.Context(), 500, bill)
	wantCode(t, "beside the dead process's lease", err, fault.BudgetExceeded)
	if f := fault.Of(err); f.RetryAfter <= 0 || f.Remediation == "" {
		t.Errorf("got %+v, want a time and a remedy", f)
	}
	held, err := s.Budgets.Balance(t.Context(), bill.Payer, "2026-11-24")
	must(t, err)
	if held.Spent != 300 || held.Reserved < 600 || held.Reserved > 600+1000/64 {
		t.Errorf("before the lease ends: got %+v, want 300 spent, and no more held than the call and the most that is taken in hand", held)
	}
	clock.Advance(holding)
	got, err := s.Budgets.Balance(t.Context(), bill.Payer, "2026-11-24")
	must(t, err)
	if got != (limit.Balance{Spent: held.Spent + held.Reserved}) {
		t.Errorf("after the lease: got %+v, want all of it spent", got)
	}
	h, err := next.Reserve(t.Context(), 1000-got.Spent, bill)
	must(t, err)
	h.Settle(0)
	_, err = next.Reserve(t.Context(), 1001-got.Spent, bill)
	wantCode(t, "more than the dead process has left", err, fault.BudgetExceeded)
}

func budgetPeriods(t *testing.T, s Stores, clock *Clock) {
	b, _ := process(t, s, "a", clock.Now)
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 100, Period: key.Daily}}
	yesterday, err := b.Reserve(t.Context(), 100, bill)
	must(t, err)
	_, err = b.Reserve(t.Context(), 1, bill)
	wantCode(t, "a used budget", err, fault.BudgetExceeded)
	clock.Advance(24 * time.Hour)
	today, err := b.Reserve(t.Context(), 100, bill)
	must(t, err)
	yesterday.Settle(60) // Booked where it was reserved.
	today.Settle(100)
	_, err = b.Reserve(t.Context(), 1, bill)
	wantCode(t, "a spent budget", err, fault.BudgetExceeded)
	if f := fault.Of(err); f.RetryAfter != 24*time.Hour-10*time.Hour-30*time.Minute-123456*time.Microsecond {
		t.Errorf("RetryAfter = %s, want the time to midnight in UTC", f.RetryAfter)
	}
	got, err := b.Standing(t.Context(), bill)
	must(t, err)
	if got.Spent != 100 || got.Left() != 0 || got.Label != "2026-11-25" {
		t.Errorf("Standing = %+v, want 100 spent on 2026-11-25", got)
	}
}

func budgetClockSetBack(t *testing.T, s Stores, clock *Clock) {
	b := limit.NewBudgets(limit.BudgetsConfig{Store: s.Budgets, Holder: "a", Lease: holding, Now: clock.Now, OnError: func(err error) { t.Error(err) }})
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 100, Period: key.Daily}}
	spend := func(amount key.Nanos) {
		t.Helper()
		h, err := b.Reserve(t.Context(), amount, bill)
		must(t, err)
		h.Settle(amount)
		must(t, b.Run(cancelled())) // Books, renews and ends at once.
	}
	spend(60)
	clock.Advance(24 * time.Hour)
	must(t, b.Run(cancelled())) // The day is over, and forgotten here.
	clock.Advance(-24 * time.Hour)
	spend(30)
	got, err := b.Standing(t.Context(), bill)
	must(t, err)
	if got.Balance != (limit.Balance{Spent: 90}) {
		t.Errorf("Standing = %+v, want 90 spent and nothing reserved", got.Balance)
	}
	_, err = b.Reserve(t.Context(), 11, bill)
	wantCode(t, "beyond what is left", err, fault.BudgetExceeded)
}

func budgetNeverCovers(t *testing.T, s Stores, clock *Clock) {
	b, _ := process(t, s, "a", clock.Now)
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 100, Period: key.Monthly}}
	for range 2 { // The store's refusal, and the one that is remembered.
		_, err := b.Reserve(t.Context(), 101, bill)
		wantCode(t, "a call above the whole budget", err, fault.BudgetExceeded)
		if f := fault.Of(err); f.RetryAfter != 0 || f.Remediation == "" || !errors.Is(err, limit.ErrCost) {
			t.Errorf("got %+v, want a remedy, no time, and ErrCost", f)
		}
	}
	h, err := b.Reserve(t.Context(), 100, bill)
	must(t, err)
	_, err = b.Reserve(t.Context(), 100, bill)
	wantCode(t, "a call beside one under way", err, fault.BudgetExceeded)
	if f := fault.Of(err); f.RetryAfter != time.Second || errors.Is(err, limit.ErrCost) {
		t.Errorf("got %+v, want a second", f)
	}
	h.Settle(1)
	if _, err = b.Reserve(t.Context(), 100, bill); !fault.Is(err, fault.BudgetExceeded) || fault.Of(err).RetryAfter <= time.Second {
		t.Errorf("got %v, want the time to the next month", err)
	}
}

// watched is a store of budgets that tells when it has answered a draw, before the one who asked hears.
type watched struct {
	limit.BudgetStore
	answered func(draws []limit.Draw)
}

func (w *watched) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	out, err := w.BudgetStore.Draw(ctx, lease, draws)
	w.answered(draws)
	return out, err
}

// deaf is a store of budgets whose first answer is lost.
type deaf struct {
	limit.BudgetStore
	heard bool
}

func (d *deaf) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	out, err := d.BudgetStore.Draw(ctx, lease, draws)
	if !d.heard {
		d.heard = true
		return nil, errors.New("the answer was lost")
	}
	return out, err
}

func budgetLostAnswer(t *testing.T, s Stores, clock *Clock) {
	b := limit.NewBudgets(limit.BudgetsConfig{Store: &deaf{BudgetStore: s.Budgets}, Holder: "a", Lease: holding, Now: clock.Now, OnError: func(err error) { t.Error(err) }})
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 1000, Period: key.Monthly}}
	if _, err := b.Reserve(t.Context(), 100, bill); err == nil {
		t.Fatal("the first reservation succeeded, want the store's error")
	}
	if got, err := s.Budgets.Balance(t.Context(), bill.Payer, "2026-11"); err != nil || got.Reserved != 100 {
		t.Fatalf("got %+v, %v, want 100 reserved in the store", got, err)
	}
	must(t, b.Run(cancelled()))
	clock.Advance(holding)
	if got, err := s.Budgets.Balance(t.Context(), bill.Payer, "2026-11"); err != nil || got != (limit.Balance{}) {
		t.Errorf("got %+v, %v, want nothing spent nor reserved", got, err)
	}
}

// slow is a store of budgets whose first call takes effect later, when nobody waits for it any more.
type slow struct {
	limit.BudgetStore
	arrive func() error
}

func (s *slow) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	if s.arrive == nil {
		s.arrive = func() error {
			_, err := s.BudgetStore.Draw(context.WithoutCancel(ctx), lease, draws)
			return err
		}
		return nil, context.DeadlineExceeded
	}
	return s.BudgetStore.Draw(ctx, lease, draws)
}

func budgetLateCall(t *testing.T, s Stores, clock *Clock) {
	store := &slow{BudgetStore: s.Budgets}
	b := limit.NewBudgets(limit.BudgetsConfig{Store: store, Holder: "a", Lease: holding, Now: clock.Now, OnError: func(err error) { t.Error(err) }})
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 1000, Period: key.Monthly}}
	if _, err := b.Reserve(t.Context(), 100, bill); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the first reservation: got %v, want the store's error", err)
	}
	must(t, b.Run(cancelled()))
	for range 4 { // However late it comes: the account is idle by then, and draws no more.
		clock.Advance(holding)
		must(t, b.Run(cancelled()))
	}
	must(t, store.arrive())
	clock.Advance(holding)
	if got, err := s.Budgets.Balance(t.Context(), bill.Payer, "2026-11"); err != nil || got != (limit.Balance{}) {
		t.Errorf("got %+v, %v, want nothing spent nor reserved", got, err)
	}
}

func budgetRenews(t *testing.T, s Stores, clock *Clock) {
	var renewed [][]limit.Draw
	store := &watched{s.Budgets, func(draws []limit.Draw) { renewed = append(renewed, draws) }}
	b := limit.NewBudgets(limit.BudgetsConfig{Store: store, Holder: "a", Lease: holding, Now: clock.Now, OnError: func(err error) { t.Error(err) }})
	idle := limit.Bill{Payer: limit.KeyPayer("idle", "acme"), Budget: key.Budget{Limit: 6400, Period: key.Monthly}}
	busy := limit.Bill{Payer: limit.KeyPayer("busy", "acme"), Budget: idle.Budget}
	h, err := b.Reserve(t.Context(), 10, idle)
	must(t, err)
	h.Settle(7)
	held, err := b.Reserve(t.Context(), 10, busy)
	must(t, err)
	must(t, b.Run(cancelled())) // Books, and gives back what is not used.
	got, err := s.Budgets.Balance(t.Context(), idle.Payer, "2026-11")
	must(t, err)
	if got != (limit.Balance{Spent: 7}) {
		t.Errorf("the idle account stands at %+v, want 7 spent and nothing reserved", got)
	}
	renewed = nil
	clock.Advance(holding / 2)
	must(t, b.Run(cancelled()))
	for _, draws := range renewed {
		if len(draws) != 1 || draws[0].Payer != busy.Payer {
			t.Errorf("a renewal wrote %+v, want the busy account alone", draws)
		}
	}
	clock.Advance(holding / 2)
	if got, err = s.Budgets.Balance(t.Context(), busy.Payer, "2026-11"); err != nil || got.Reserved != 10 || len(renewed) == 0 {
		t.Errorf("the busy account stands at %+v, %v after %d renewals, want 10 reserved still", got, err, len(renewed))
	}
	held.Settle(0)
	must(t, b.Run(cancelled()))
	renewed = nil
	must(t, b.Run(cancelled()))
	if len(renewed) != 0 {
		t.Errorf("idle accounts were written %d times, want never", len(renewed))
	}
}

func budgetChangesMeanwhile(t *testing.T, s Stores, clock *Clock) {
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 6400, Period: key.Monthly}}
	lowered := bill
	lowered.Limit = 15
	changed := make(chan struct{})
	var b *limit.Budgets
	var draws atomic.Int64
	s.Budgets = &watched{s.Budgets, func([]limit.Draw) {
		if draws.Add(1) == 2 { // The first was for the reservation, which took a block in hand.
			if _, err := b.Reserve(cancelled(), 6, lowered); !errors.Is(err, context.Canceled) {
				t.Errorf("a reservation beside a booking: got %v, want its context's error", err)
			}
			close(changed)
		}
	}}
	b, _ = process(t, s, "a", clock.Now)
	h, err := b.Reserve(t.Context(), 10, bill)
	must(t, err)
	h.Settle(10)
	<-changed
	_, err = b.Reserve(t.Context(), 6, lowered)
	wantCode(t, "beyond the lowered limit", err, fault.BudgetExceeded)
}

func budgetChanges(t *testing.T, s Stores, clock *Clock) {
	b, _ := process(t, s, "a", clock.Now)
	bill := limit.Bill{Payer: limit.TeamPayer("acme"), Budget: key.Budget{Limit: 6400, Period: key.Monthly}}
	h, err := b.Reserve(t.Context(), 10, bill) // A block is in hand.
	must(t, err)
	h.Settle(10)
	bill.Limit = 15
	_, err = b.Reserve(t.Context(), 6, bill)
	wantCode(t, "beyond a lowered limit", err, fault.BudgetExceeded)
	bill.Limit = 16
	h, err = b.Reserve(t.Context(), 6, bill)
	must(t, err)
	h.Settle(6)
	free, err := b.Reserve(t.Context(), 0, bill) // A model without a price tag costs nothing.
	must(t, err)
	free.Settle(0)
}
