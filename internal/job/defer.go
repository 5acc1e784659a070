package job

import "context"

// Deferrer takes items that may wait for a cheaper way, such as a provider's batch API. A worker asks it about each item of a job that is not urgent
// ([Whenever]) that it has claimed, before it does the item itself.
type Deferrer interface {
	// Defer says whether the item is taken: then it was parked ([Queue.Park]) under its lease, and whoever took it renews the lease and ends the item by
	// [Finisher.Finish], or gives it back as ItemPending. What is not taken the worker does at once; so it does where there is an error, which is for the log alone. An
	// item that was given back is asked about again: the Deferrer remembers what it does not want twice.
	Defer(ctx context.Context, w *Work) (taken bool, err error)
}
