package simulation

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/delivery/deliverytest"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/store/storetest"
)

// store is the database: the model of jobs and the one of deliveries, where the end of a job and the deliveries that tell of it are one transaction.
type store struct {
	*storetest.JobModel
	hooks   *deliverytest.Memory
	budgets *budgets

	// mu makes one transaction of what both models do; told counts the messages that have become deliveries.
	mu   sync.Mutex
	told int
}

func newStore(now func() time.Time) *store {
	s := &store{JobModel: storetest.NewJobModel(now), hooks: deliverytest.NewMemory(now), budgets: newBudgets(now)}
	s.Waited = s.waited
	return s
}

// waited says that a delivery tells of a job still.
func (s *store) waited(id job.ID) bool {
	list, _, err := s.hooks.Deliveries(context.Background(), key.AllTeams(), delivery.Filter{Job: string(id), Status: delivery.Pending, Limit: 1})
	return err != nil || len(list) > 0
}

// within does something and makes the deliveries of what it told.
func (s *store) within(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	for _, m := range s.news() {
		s.tell(m)
	}
}

// news are the messages that are not deliveries yet. The mutex is held.
func (s *store) news() []delivery.Message {
	list := s.ToldAfter(s.told)
	s.told += len(list)
	return list
}

func (s *store) tell(m delivery.Message) {
	j, err := s.Job(context.Background(), key.AllTeams(), job.ID(m.Job))
	if err == nil {
		s.hooks.Tell(m, delivery.Target{Endpoint: delivery.EndpointID(j.Webhook.Endpoint), URL: j.Webhook.URL, Secret: j.Webhook.Secret})
	}
}

// Claim may find that a deadline has passed.
func (s *store) Claim(ctx context.Context, w job.Want) (out []job.Work, err error) {
	s.within(func() { out, err = s.JobModel.Claim(ctx, w) })
	return out, err
}

// Finish ends jobs.
func (s *store) Finish(ctx context.Context, list []job.Finished) (out []job.Ended, err error) {
	s.within(func() { out, err = s.JobModel.Finish(ctx, list) })
	return out, err
}

// Cancel ends a job.
func (s *store) Cancel(ctx context.Context, reach key.Reach, id job.ID) (out job.Job, err error) {
	s.within(func() { out, err = s.JobModel.Cancel(ctx, reach, id) })
	return out, err
}

// Retry begins the next run; what is to be told of the one before is composed first.
func (s *store) Retry(ctx context.Context, reach key.Reach, id job.ID) (out job.Job, err error) {
	s.within(func() {
		before, _ := s.Job(ctx, reach, id)                 //nolint:errcheck // Retry says what is wrong.
		items, _ := s.JobModel.Items(ctx, reach, id, 0, 1) //nolint:errcheck // As above.
		if out, err = s.JobModel.Retry(ctx, reach, id); err != nil {
			return
		}
		var only *job.Item
		if !before.Batch && len(items) > 0 {
			only = &items[0]
		}
		m := delivery.JobMessage(before.Team, string(id), delivery.Event(before.State.Event()), before.Run, before.CompletedAt)
		s.hooks.Compose(m.ID, delivery.Envelope(m.Event, m.At, before.Append(nil, only)))
	})
	return out, err
}

// Reap ends what is poison or expired.
func (s *store) Reap(ctx context.Context, p job.Policy) (out job.Reaped, err error) {
	s.within(func() { out, err = s.JobModel.Reap(ctx, p) })
	return out, err
}

func TestTheStoreKeepsTheContracts(t *testing.T) {
	t.Parallel()
	open := func(_ testing.TB, now func() time.Time) storetest.Stores {
		s := newStore(now)
		return storetest.Stores{Jobs: s, Deliveries: s.hooks, Budgets: s.budgets}
	}
	t.Run("jobs", func(t *testing.T) { t.Parallel(); storetest.RunJobs(t, open) })
	t.Run("budgets", func(t *testing.T) { t.Parallel(); storetest.RunBudgets(t, open) })
	t.Run("deliveries", func(t *testing.T) { t.Parallel(); storetest.RunDeliveries(t, open) })
}

var (
	_ job.Store         = (*store)(nil)
	_ limit.BudgetStore = (*budgets)(nil)
)
