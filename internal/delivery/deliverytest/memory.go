// Package deliverytest has what tests of webhooks need: a store in memory that keeps the contracts of a real one, and a transport that is scripted.
//
// It is not for tests of what a store does with a disk or a network: those are storetest's, which holds [Memory] to the same contracts.
package deliverytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Memory keeps endpoints, deliveries and attempts in memory. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu sync.Mutex

	endpoints map[delivery.EndpointID]delivery.Endpoint
	rows      map[delivery.ID]*row
	cursors   map[string]int64
	made      int
}

type row struct {
	delivery.Delivery
	message  delivery.Message
	secret   string
	lane     delivery.Lane
	since    time.Time
	due      time.Time
	token    string
	tries    int
	attempts []delivery.Attempt
}

// NewMemory makes an empty store on a clock.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{
		now:       func() time.Time { return now().UTC().Truncate(time.Microsecond) },
		endpoints: map[delivery.EndpointID]delivery.Endpoint{}, rows: map[delivery.ID]*row{}, cursors: map[string]int64{},
	}
}

// Tell makes the deliveries of a message to a target, as a real store does in the transaction that ends a job.
func (m *Memory) Tell(one delivery.Message, to delivery.Target) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tell(one, to)
}

// Compose gives the deliveries of a message that have no body one, as a real store does before the next run of a job changes what it says.
func (m *Memory) Compose(id delivery.MessageID, payload []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Message == id && len(r.message.Payload) == 0 {
			r.message.Payload = slices.Clone(payload)
		}
	}
}

func (m *Memory) tell(one delivery.Message, to delivery.Target) (made int) {
	if to.URL != "" {
		return m.insert(one, "", to.URL, to.Secret)
	}
	if to.Endpoint != "" {
		e := m.endpoints[to.Endpoint]
		if e.Team != one.Team {
			e = delivery.Endpoint{}
		}
		return m.insert(one, to.Endpoint, e.URL, "")
	}
	for _, e := range m.endpoints {
		late := one.Event == delivery.BudgetAlert && e.CreatedAt.After(one.At)
		if e.Team == one.Team && e.DisabledAt.IsZero() && !late && e.Subscribes(one.Event) {
			made += m.insert(one, e.ID, e.URL, "")
		}
	}
	return made
}

func (m *Memory) insert(one delivery.Message, to delivery.EndpointID, url, secret string) int {
	for _, r := range m.rows {
		if r.Message == one.ID && r.Endpoint == to {
			return 0
		}
	}
	m.made++
	now := m.now()
	id := delivery.ID(fmt.Sprintf("dlv_%032x", m.made))
	m.rows[id] = &row{
		Delivery: delivery.Delivery{
			ID: id, Message: one.ID, Team: one.Team, Event: one.Event, Job: one.Job, Endpoint: to, URL: url, Status: delivery.Pending, At: one.At, CreatedAt: now,
		},
		message: one, secret: secret, lane: delivery.Lane{Team: one.Team, Host: delivery.HostOf(url)}, since: now, due: now,
	}
	return 1
}

func byLane(a, b delivery.Lane) int {
	return cmp.Or(cmp.Compare(string(a.Team)+" "+a.Host, string(b.Team)+" "+b.Host))
}

// Due gives lanes with deliveries that are due.
func (m *Memory) Due(ctx context.Context, after delivery.Lane, most int) ([]delivery.Lane, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lanes, now, seen := []delivery.Lane{}, m.now(), map[delivery.Lane]bool{}
	for _, r := range m.rows {
		if r.Status == delivery.Pending && !r.due.After(now) && !seen[r.lane] && (after == delivery.Lane{} || byLane(r.lane, after) > 0) {
			seen[r.lane] = true
			lanes = append(lanes, r.lane)
		}
	}
	slices.SortFunc(lanes, byLane)
	return lanes[:min(len(lanes), most)], ctx.Err()
}

// Claim takes due deliveries.
func (m *Memory) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) (taken []delivery.Claimed, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, s := range shares {
		var due []*row
		for _, r := range m.rows {
			if r.Status == delivery.Pending && !r.due.After(now) && r.lane == s.Lane {
				due = append(due, r)
			}
		}
		slices.SortFunc(due, func(a, b *row) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.ID, b.ID)) })
		for _, r := range due[:min(len(due), s.Most)] {
			r.token, r.due = token, now.Add(lease)
			taken = append(taken, m.claimed(r, now))
		}
	}
	return taken, nil
}

func (m *Memory) claimed(r *row, now time.Time) delivery.Claimed {
	c := delivery.Claimed{ID: r.ID, Message: r.message, Endpoint: r.Endpoint, URL: r.URL, Attempts: r.Attempts, Tries: r.tries, Age: now.Sub(r.since)}
	if r.Endpoint == "" {
		s, _ := delivery.ParseSecret(r.secret) //nolint:errcheck // It was checked when it was given.
		c.Secrets = []delivery.Secret{s}
		return c
	}
	e, there := m.endpoints[r.Endpoint]
	switch {
	case !there || e.Team != r.Team:
		c.Missing = delivery.ErrorDeleted
	case !e.DisabledAt.IsZero():
		c.URL, c.Missing = e.URL, delivery.ErrorDisabled
	default:
		c.URL, c.Secrets = e.URL, e.Secrets(now)
	}
	return c
}

// held gives the row that a token holds.
func (m *Memory) held(token string, id delivery.ID) *row {
	r := m.rows[id]
	if r == nil || token == "" || r.token != token || r.Status != delivery.Pending {
		return nil
	}
	return r
}

// Renew prolongs leases.
func (m *Memory) Renew(ctx context.Context, token string, ids []delivery.ID, lease time.Duration) (lost []delivery.ID, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if r := m.held(token, id); r != nil {
			r.due = m.now().Add(lease)
		} else {
			lost = append(lost, id)
		}
	}
	return lost, nil
}

// Keep writes the payload.
func (m *Memory) Keep(ctx context.Context, token string, id delivery.ID, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.held(token, id)
	if r == nil {
		return delivery.ErrLeaseLost
	}
	r.message.Payload = slices.Clone(payload)
	return nil
}

// Record writes an attempt and what becomes of the delivery.
func (m *Memory) Record(ctx context.Context, token string, id delivery.ID, res delivery.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, now := m.held(token, id), m.now()
	if r == nil {
		return delivery.ErrLeaseLost
	}
	r.token, r.Status, r.due = "", res.Status, now.Add(res.Again)
	if res.Status != delivery.Pending {
		r.EndedAt = now
	}
	if res.Attempt != nil || res.Error != "" {
		r.LastError = res.Error
	}
	if res.Attempt == nil {
		return nil
	}
	r.Attempts++
	r.tries++
	a := *res.Attempt
	a.N = r.Attempts
	r.attempts = append(r.attempts, a)
	if a.Status != 0 {
		r.LastStatus = a.Status
	}
	if e, there := m.endpoints[r.Endpoint]; res.Disable && there && e.URL == a.URL && e.DisabledAt.IsZero() {
		e.DisabledAt, e.DisabledWhy, e.UpdatedAt = now, delivery.DisabledByTarget, now
		m.endpoints[e.ID] = e
	}
	return nil
}

// Announce makes the deliveries of messages and moves a cursor.
func (m *Memory) Announce(ctx context.Context, cursor string, to int64, list []delivery.Message) (made int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range list {
		made += m.tell(one, delivery.Target{})
	}
	m.cursors[cursor] = max(m.cursors[cursor], to)
	return made, nil
}

// Cursor reads a cursor.
func (m *Memory) Cursor(ctx context.Context, name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursors[name], ctx.Err()
}

// Sweep does a portion of what is due by age.
func (m *Memory) Sweep(ctx context.Context, expire, keep time.Duration, most int) (failed, deleted int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for id, r := range m.rows {
		switch {
		case r.Status == delivery.Pending && failed < most && !r.since.After(now.Add(-expire)) && !r.due.After(now):
			r.Status, r.LastError, r.token, r.EndedAt = delivery.Failed, delivery.ErrorAge, "", now
			failed++
		case r.Status != delivery.Pending && deleted < most && !r.EndedAt.After(now.Add(-keep)):
			delete(m.rows, id)
			deleted++
		}
	}
	return failed, deleted, nil
}

// AddEndpoint keeps a new endpoint.
func (m *Memory) AddEndpoint(ctx context.Context, e delivery.Endpoint) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, other := range m.endpoints {
		if other.Team == e.Team {
			n++
		}
	}
	if n >= delivery.MostEndpoints {
		return fault.New(fault.Conflict, "the team has as many webhooks as it may have")
	}
	m.endpoints[e.ID] = e
	return nil
}

// Endpoint reads one.
func (m *Memory) Endpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) (delivery.Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoint(ctx, reach, id)
}

func (m *Memory) endpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) (delivery.Endpoint, error) {
	e, there := m.endpoints[id]
	if !there || !reach.Covers(e.Team) {
		return delivery.Endpoint{}, fault.New(fault.NotFound, "there is no such webhook")
	}
	return e, ctx.Err()
}

// Endpoints reads a page.
func (m *Memory) Endpoints(ctx context.Context, reach key.Reach, limit int, after delivery.Cursor) (list []delivery.Endpoint, next delivery.Cursor, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list = []delivery.Endpoint{}
	for _, e := range m.endpoints {
		if reach.Covers(e.Team) && (after == "" || string(e.ID) < string(after)) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b delivery.Endpoint) int { return cmp.Compare(b.ID, a.ID) })
	if len(list) > limit {
		list = list[:limit]
		next = delivery.Cursor(list[limit-1].ID)
	}
	return list, next, ctx.Err()
}

// ChangeEndpoint changes what is given.
func (m *Memory) ChangeEndpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID, c delivery.Change, at time.Time) (delivery.Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.endpoint(ctx, reach, id)
	if err != nil {
		return delivery.Endpoint{}, err
	}
	c.Apply(&e, at)
	m.endpoints[id] = e
	for _, r := range m.rows {
		if r.Endpoint == id && r.Status == delivery.Pending {
			r.lane.Host = delivery.HostOf(e.URL)
		}
	}
	return e, nil
}

// RotateSecret puts another secret in place.
func (m *Memory) RotateSecret(ctx context.Context, reach key.Reach, id delivery.EndpointID, s delivery.Secret, until, at time.Time) (delivery.Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.endpoint(ctx, reach, id)
	if err != nil {
		return delivery.Endpoint{}, err
	}
	e.Previous, e.PreviousUntil, e.Secret, e.UpdatedAt = e.Secret, until, s, at
	m.endpoints[id] = e
	return e, nil
}

// DeleteEndpoint removes one.
func (m *Memory) DeleteEndpoint(ctx context.Context, reach key.Reach, id delivery.EndpointID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.endpoint(ctx, reach, id); err != nil {
		return err
	}
	delete(m.endpoints, id)
	return nil
}

func (r *row) shown() delivery.Delivery {
	d := r.Delivery
	if d.Status == delivery.Pending {
		d.NextAt = r.due
	}
	return d
}

// Deliveries reads a page.
func (m *Memory) Deliveries(ctx context.Context, reach key.Reach, f delivery.Filter) (list []delivery.Delivery, next delivery.Cursor, err error) {
	at, id, err := placeOf(f.After)
	if err != nil {
		return nil, "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list = []delivery.Delivery{}
	for _, r := range m.rows {
		before := f.After == "" || r.CreatedAt.Before(at) || r.CreatedAt.Equal(at) && r.ID < id
		if before && reach.Covers(r.Team) && (f.Job == "" || f.Job == r.Job) && (f.Endpoint == "" || f.Endpoint == r.Endpoint) && (f.Status == "" || f.Status == r.Status) &&
			(f.Event == "" || f.Event == r.Event) {
			list = append(list, r.shown())
		}
	}
	slices.SortFunc(list, func(a, b delivery.Delivery) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	if len(list) > f.Limit {
		list = list[:f.Limit]
		last := list[f.Limit-1]
		next = delivery.Cursor(strconv.FormatInt(last.CreatedAt.UnixMicro(), 10) + "-" + string(last.ID))
	}
	return list, next, ctx.Err()
}

func placeOf(c delivery.Cursor) (time.Time, delivery.ID, error) {
	if c == "" {
		return time.Time{}, "", nil
	}
	text, id, _ := strings.Cut(string(c), "-")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id == "" {
		return time.Time{}, "", fault.Invalid("", "cursor", "the cursor is not one that promptd gave", "Send next_cursor unchanged.")
	}
	return time.UnixMicro(n), delivery.ID(id), nil
}

// Delivery reads one with its attempts.
func (m *Memory) Delivery(ctx context.Context, reach key.Reach, id delivery.ID) (delivery.Delivery, []delivery.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	if r == nil || !reach.Covers(r.Team) {
		return delivery.Delivery{}, nil, fault.New(fault.NotFound, "there is no such delivery")
	}
	return r.shown(), append([]delivery.Attempt{}, r.attempts[max(0, len(r.attempts)-delivery.MostAttempts):]...), ctx.Err()
}

// Redeliver makes one due again.
func (m *Memory) Redeliver(ctx context.Context, reach key.Reach, id delivery.ID) (delivery.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return delivery.Delivery{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id]
	if r == nil || !reach.Covers(r.Team) {
		return delivery.Delivery{}, fault.New(fault.NotFound, "there is no such delivery")
	}
	now := m.now()
	if r.Status != delivery.Pending || r.token == "" || !r.due.After(now) {
		r.due, r.token = now, ""
	}
	r.Status, r.since, r.tries, r.EndedAt = delivery.Pending, now, 0, time.Time{}
	if e, there := m.endpoints[r.Endpoint]; there {
		r.lane.Host = delivery.HostOf(e.URL)
	}
	return r.shown(), nil
}

var (
	_ delivery.Store    = (*Memory)(nil)
	_ delivery.Registry = (*Memory)(nil)
	_ delivery.Log      = (*Memory)(nil)
)
