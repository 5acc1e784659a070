package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// Job reads one.
func (m *JobModel) Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	_, leave, err := m.enter(ctx)
	if err != nil {
		return job.Job{}, err
	}
	defer leave()
	j, err := m.visible(reach, id)
	if err != nil {
		return job.Job{}, err
	}
	return j.Job, nil
}

// Jobs reads a page.
func (m *JobModel) Jobs(ctx context.Context, reach key.Reach, f job.Filter) (list []job.Job, next job.Cursor, err error) {
	f, err = f.Checked()
	if err != nil {
		return nil, "", err
	}
	_, leave, err := m.enter(ctx)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	at, id, _ := f.After.Place()
	list = []job.Job{}
	for _, j := range m.jobs {
		micros := j.CreatedAt.UnixMicro()
		switch {
		case j.State == job.Uploading, !reach.Covers(j.Team), f.State != "" && j.State != f.State, !f.From.IsZero() && j.CreatedAt.Before(f.From),
			!f.To.IsZero() && !j.CreatedAt.Before(f.To), id != "" && (micros > at || micros == at && j.ID >= id):
			continue
		}
		brief := j.Job
		brief.Request = nil
		list = append(list, brief)
	}
	slices.SortFunc(list, func(a, b job.Job) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = job.CursorAt(list[f.Limit-1])
	}
	return list, next, nil
}

// Items reads items by number.
func (m *JobModel) Items(ctx context.Context, reach key.Reach, id job.ID, from, limit int) ([]job.Item, error) {
	return m.list(ctx, reach, id, limit, func(it *modelItem) bool { return it.N >= from }, func(a, b job.Item) int { return cmp.Compare(a.N, b.N) })
}

// EndedItems reads items in the order of their ends.
func (m *JobModel) EndedItems(ctx context.Context, reach key.Reach, id job.ID, afterSeq, limit int) ([]job.Item, error) {
	return m.list(ctx, reach, id, limit, func(it *modelItem) bool { return it.Seq > max(0, afterSeq) }, func(a, b job.Item) int { return cmp.Compare(a.Seq, b.Seq) })
}

func (m *JobModel) list(ctx context.Context, reach key.Reach, id job.ID, limit int, wanted func(*modelItem) bool, order func(a, b job.Item) int) ([]job.Item, error) {
	_, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	j, err := m.visible(reach, id)
	if err != nil {
		return nil, err
	}
	list := []job.Item{}
	for _, it := range j.items {
		if wanted(it) {
			list = append(list, it.Item)
		}
	}
	slices.SortFunc(list, order)
	return list[:min(max(0, limit), len(list))], nil
}
