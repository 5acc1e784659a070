package simulation

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// handle is the store as a process sees it.
type handle struct {
	job.Store // The methods that nobody here calls.
	p         *process
}

// none is the result of a call that gives an error alone.
type none = struct{}

func (h handle) Submit(ctx context.Context, list []job.Submission) ([]job.Submitted, error) {
	return call(ctx, h.p, opSubmit, func(ctx context.Context) ([]job.Submitted, error) { return h.Store.Submit(ctx, list) })
}

func (h handle) Begin(ctx context.Context, s job.Submission) error {
	_, err := call(ctx, h.p, opBegin, func(ctx context.Context) (none, error) { return none{}, h.Store.Begin(ctx, s) })
	return err
}

func (h handle) Append(ctx context.Context, id job.ID, items []job.Item) error {
	_, err := call(ctx, h.p, opAppend, func(ctx context.Context) (none, error) { return none{}, h.Store.Append(ctx, id, items) })
	return err
}

func (h handle) Seal(ctx context.Context, id job.ID, total int, hash [32]byte) (job.Submitted, error) {
	return call(ctx, h.p, opSeal, func(ctx context.Context) (job.Submitted, error) { return h.Store.Seal(ctx, id, total, hash) })
}

func (h handle) Claim(ctx context.Context, w job.Want) ([]job.Work, error) {
	return call(ctx, h.p, opClaim, func(ctx context.Context) ([]job.Work, error) { return h.Store.Claim(ctx, w) })
}

func (h handle) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return call(ctx, h.p, opRenew, func(ctx context.Context) ([]job.Lease, error) { return h.Store.Renew(ctx, leases, d) })
}

func (h handle) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	return call(ctx, h.p, opFinish, func(ctx context.Context) ([]job.Ended, error) { return h.Store.Finish(ctx, list) })
}

func (h handle) Depth(ctx context.Context) ([]job.Depth, error) {
	return call(ctx, h.p, opDepth, h.Store.Depth)
}

func (h handle) Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	return call(ctx, h.p, opRead, func(ctx context.Context) (job.Job, error) { return h.Store.Job(ctx, reach, id) })
}

func (h handle) Items(ctx context.Context, reach key.Reach, id job.ID, from, most int) ([]job.Item, error) {
	return call(ctx, h.p, opRead, func(ctx context.Context) ([]job.Item, error) { return h.Store.Items(ctx, reach, id, from, most) })
}

func (h handle) Cancel(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	return call(ctx, h.p, opCancel, func(ctx context.Context) (job.Job, error) { return h.Store.Cancel(ctx, reach, id) })
}

func (h handle) Retry(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	return call(ctx, h.p, opRetry, func(ctx context.Context) (job.Job, error) { return h.Store.Retry(ctx, reach, id) })
}

func (h handle) Reap(ctx context.Context, p job.Policy) (job.Reaped, error) {
	return call(ctx, h.p, opReap, func(ctx context.Context) (job.Reaped, error) { return h.Store.Reap(ctx, p) })
}

func (h handle) Lead(ctx context.Context, name, holder string, lease time.Duration) (bool, error) {
	return call(ctx, h.p, opLead, func(ctx context.Context) (bool, error) { return h.Store.Lead(ctx, name, holder, lease) })
}

// hookHandle is the store of deliveries as a process sees it.
type hookHandle struct {
	delivery.Store
	p *process
}

func (h hookHandle) Due(ctx context.Context, after delivery.Lane, most int) ([]delivery.Lane, error) {
	return call(ctx, h.p, opDue, func(ctx context.Context) ([]delivery.Lane, error) { return h.Store.Due(ctx, after, most) })
}

func (h hookHandle) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) ([]delivery.Claimed, error) {
	return call(ctx, h.p, opTake, func(ctx context.Context) ([]delivery.Claimed, error) { return h.Store.Claim(ctx, token, lease, shares) })
}

func (h hookHandle) Renew(ctx context.Context, token string, ids []delivery.ID, lease time.Duration) ([]delivery.ID, error) {
	return call(ctx, h.p, opProlong, func(ctx context.Context) ([]delivery.ID, error) { return h.Store.Renew(ctx, token, ids, lease) })
}

func (h hookHandle) Keep(ctx context.Context, token string, id delivery.ID, payload []byte) error {
	_, err := call(ctx, h.p, opKeep, func(ctx context.Context) (none, error) { return none{}, h.Store.Keep(ctx, token, id, payload) })
	return err
}

func (h hookHandle) Record(ctx context.Context, token string, id delivery.ID, r delivery.Result) error {
	_, err := call(ctx, h.p, opRecord, func(ctx context.Context) (none, error) { return none{}, h.Store.Record(ctx, token, id, r) })
	return err
}

func (h hookHandle) Sweep(ctx context.Context, expire, keep time.Duration, most int) (failed, deleted int, err error) {
	n, err := call(ctx, h.p, opSweep, func(ctx context.Context) ([2]int, error) {
		f, d, err := h.Store.Sweep(ctx, expire, keep, most)
		return [2]int{f, d}, err
	})
	return n[0], n[1], err
}

// budgetHandle is the store of budgets as a process sees it.
type budgetHandle struct {
	limit.BudgetStore
	p *process
}

func (h budgetHandle) Draw(ctx context.Context, lease time.Duration, draws []limit.Draw) ([]limit.Drawn, error) {
	return call(ctx, h.p, opDraw, func(ctx context.Context) ([]limit.Drawn, error) { return h.BudgetStore.Draw(ctx, lease, draws) })
}
