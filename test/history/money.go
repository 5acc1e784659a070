package history

// moneyIsCounted: the budgets are charged what the provider has charged, or more by what was held when nobody could know: at the end of a process, and by a call whose answer nobody
// heard. At the end nothing is reserved.
func (c *judge) moneyIsCounted() {
	var cost, unknown int64
	for _, k := range c.calls {
		switch {
		case k.end == nil:
			unknown += k.Most
		case k.end.Cut:
			cost += k.end.Cost
			unknown += max(0, k.Most-k.end.Cost)
		default:
			cost += k.end.Cost
		}
	}
	var last *Event
	for i := range c.Events {
		switch e := &c.Events[i]; e.Kind { //nolint:exhaustive // The others are not about money.
		case Killed, Drained:
			unknown += e.Most
		case Balance:
			last = e
		}
	}
	if last == nil {
		return
	}
	if last.Most != 0 {
		c.wrong("nothing stays reserved", "%d are reserved at the end", last.Most)
	}
	if last.Cost < cost {
		c.wrong("what was used is charged", "%d are charged, and the provider's ledger says %d", last.Cost, cost)
	}
	if last.Cost > cost+unknown {
		c.wrong("no more is charged than was used", "%d are charged; the provider's ledger says %d, and %d were held where nobody knows", last.Cost, cost, unknown)
	}
}
