package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// Whole says that Reap does all that is due, whatever the portion.
func (m *JobModel) Whole() {}

// Reap does all that is due, whatever the portion.
func (m *JobModel) Reap(ctx context.Context, p job.Policy) (out job.Reaped, err error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return out, err
	}
	defer leave()
	m.reapLeases(p, now, &out)
	for _, j := range slices.Clone(m.jobs) {
		m.reapJob(j, p, now, &out)
	}
	for name, use := range m.keys {
		if !use.at.After(now.Add(-job.Remember)) {
			delete(m.keys, name)
		}
	}
	for _, class := range []job.Priority{job.High, job.Normal, job.Low} {
		if _, it := m.next(class, "", now); it != nil {
			out.Due = append(out.Due, class)
		}
	}
	return out, nil
}

// reapLeases takes items from workers that were not heard of again, those that were lost first first.
func (m *JobModel) reapLeases(p job.Policy, now time.Time, out *job.Reaped) {
	var lapsed []*modelItem
	for _, j := range m.jobs {
		for _, it := range j.items {
			if it.token != "" && !it.until.After(now) {
				lapsed = append(lapsed, it)
			}
		}
	}
	slices.SortStableFunc(lapsed, func(a, b *modelItem) int { return a.until.Compare(b.until) })
	for _, it := range lapsed {
		it.tried(job.Lost(it.worker, it.taken, now))
		if n := job.Losses(it.Tries); !p.Poison(n) {
			it.State, it.token, it.RunAt = job.ItemPending, "", p.After(now, n)
			out.Requeued++
			continue
		}
		j := m.find(it.Job)
		j.end(it, job.ItemFailed, job.Poison(j.ID, job.Losses(it.Tries)), now)
		out.Poisoned++
		if m.settle(j, now); j.State.Final() {
			out.Ended = append(out.Ended, job.Ended{Job: j.ID, State: j.State, Progress: j.Progress, Last: true})
		}
	}
}

func (m *JobModel) reapJob(j *modelJob, p job.Policy, now time.Time, out *job.Reaped) {
	drop := func() { m.jobs = slices.DeleteFunc(m.jobs, func(other *modelJob) bool { return other == j }) }
	switch {
	case j.State == job.Uploading && !j.touched.After(now.Add(-p.Upload)):
		out.Abandoned++
		drop()
	case j.State == job.Pending && !j.Deadline.After(now):
		m.stop(j, job.Expired, now)
		out.Expired++
		out.Ended = append(out.Ended, job.Ended{Job: j.ID, State: j.State, Progress: j.Progress, Last: true})
	case j.State.Final() && !j.ForgottenAt.After(now):
		out.Deleted++
		drop()
	case j.State.Final() && !j.ExpiresAt.After(now) && !j.Gone && (m.Waited == nil || !m.Waited(j.ID)):
		out.Stripped++
		j.Gone, j.Request, j.Webhook.Secret = true, nil, ""
		for _, it := range j.items {
			it.Name, it.Request, it.Result = "", nil, nil
		}
	}
}

// Lead takes or prolongs the lead where nobody else has it.
func (m *JobModel) Lead(ctx context.Context, name, holder string, lease time.Duration) (bool, error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if l, ok := m.leaders[name]; ok && l.holder != holder && l.until.After(now) {
		return false, nil
	}
	m.leaders[name] = modelLeader{holder, now.Add(lease)}
	return true, nil
}

// Depth counts what is due.
func (m *JobModel) Depth(ctx context.Context) ([]job.Depth, error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []job.Depth
	for _, class := range []job.Priority{job.High, job.Normal, job.Low} {
		d := job.Depth{Class: class}
		for _, j := range m.jobs {
			for _, it := range j.items {
				if j.Priority == class && j.State != job.Uploading && it.State == job.ItemPending && !it.RunAt.After(now) {
					d.Due++
					d.Oldest = max(d.Oldest, now.Sub(it.RunAt))
				}
			}
		}
		if d.Due > 0 {
			list = append(list, d)
		}
	}
	return list, nil
}
