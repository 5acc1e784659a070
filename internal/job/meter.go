package job

// Meter counts what becomes of jobs. Its methods are called by many at the same time.
type Meter interface {
	// Submitted counts an accepted job and its items.
	Submitted(p Priority, items int)
	// Claimed counts a claim, and how many items it took of as many as it wanted.
	Claimed(taken, wanted int)
	// Working counts items in and out of work.
	Working(change int)
	// ItemEnded counts the end of an item, or that it is to be tried again: ItemPending.
	ItemEnded(s ItemState)
	// Over counts jobs that became final.
	Over(s State)
	// LeaseLost counts leases that a worker lost while it worked.
	LeaseLost()
	// Reaped counts what the reaper put right.
	Reaped(r Reaped)
	// Depths shows what waits.
	Depths(list []Depth)
}

// Unmetered counts nothing.
type Unmetered struct{}

// Submitted does nothing.
func (Unmetered) Submitted(Priority, int) {}

// Claimed does nothing.
func (Unmetered) Claimed(int, int) {}

// Working does nothing.
func (Unmetered) Working(int) {}

// ItemEnded does nothing.
func (Unmetered) ItemEnded(ItemState) {}

// Over does nothing.
func (Unmetered) Over(State) {}

// LeaseLost does nothing.
func (Unmetered) LeaseLost() {}

// Reaped does nothing.
func (Unmetered) Reaped(Reaped) {}

// Depths does nothing.
func (Unmetered) Depths([]Depth) {}

var _ Meter = Unmetered{}
