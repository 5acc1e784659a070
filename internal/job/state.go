package job

import "slices"

// State is a job's (product.md section 8).
type State string

// The states. A job is made Pending; the last five are final, but for a retry that makes one Pending again.
const (
	// Uploading is a job whose items are still being sent; callers never see it.
	Uploading           State = "uploading"
	Pending             State = "pending"
	Processing          State = "processing"
	Completed           State = "completed"
	CompletedWithErrors State = "completed_with_errors"
	Failed              State = "failed"
	Cancelled           State = "cancelled"
	Expired             State = "expired"
)

// States are those that callers see, in the order of a job's life.
func States() []State {
	return []State{Pending, Processing, Completed, CompletedWithErrors, Failed, Cancelled, Expired}
}

// Final says that a job is over.
func (s State) Final() bool {
	return slices.Contains([]State{Completed, CompletedWithErrors, Failed, Cancelled, Expired}, s)
}

// Event is what webhooks are told of a final state; empty where there is none.
func (s State) Event() string {
	if !s.Final() {
		return ""
	}
	return "job." + string(s)
}

// ItemState is an item's. Only the first three can still change by themselves.
type ItemState string

// The states of items.
const (
	ItemPending ItemState = "pending"
	// ItemLeased is with a worker.
	ItemLeased ItemState = "leased"
	// ItemWaiting is with a provider's batch API, under a long lease that its coordinator renews.
	ItemWaiting   ItemState = "waiting"
	ItemCompleted ItemState = "completed"
	ItemFailed    ItemState = "failed"
	ItemCancelled ItemState = "cancelled"
)

// Ended says that nothing more becomes of the item.
func (s ItemState) Ended() bool {
	return s == ItemCompleted || s == ItemFailed || s == ItemCancelled
}
