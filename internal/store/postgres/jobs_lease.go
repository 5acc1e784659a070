package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
)

// ofLeases finds the items of leases that hold: only who has the token may write, and only while the item is with it.
const ofLeases = ` FROM job_items AS i JOIN unnest($1::uuid[], $2::int[], $3::text[]) AS u(job, n, token) ON i.job = u.job AND i.n = u.n AND i.token = u.token
	ORDER BY i.job, i.n FOR UPDATE OF i`

// A lease never gets shorter: who parked an item keeps what it asked for.
const (
	prolong    = `lease_until = greatest(i.lease_until, coalesce($4::bigint, now_micros()) + $5::bigint)`
	heldLeases = ` FROM (SELECT i.job, i.n` + ofLeases + `) AS held WHERE i.job = held.job AND i.n = held.n RETURNING i.job::text, i.n, i.token`
	renewItems = `UPDATE job_items AS i SET ` + prolong + heldLeases
	parkItems  = `UPDATE job_items AS i SET state = 'waiting', ` + prolong + heldLeases
)

// Renew prolongs leases.
func (j *Jobs) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return j.prolong(ctx, "job_renew", renewItems, leases, d)
}

// Park prolongs leases of items that wait for another way.
func (j *Jobs) Park(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return j.prolong(ctx, "job_park", parkItems, leases, d)
}

func (j *Jobs) prolong(ctx context.Context, name, query string, leases []job.Lease, d time.Duration) (lost []job.Lease, err error) {
	err = j.db.tx(ctx, name, func(ctx context.Context, tx pgx.Tx) error {
		lost = nil
		rows, err := tx.Query(ctx, query, append(leaseColumns(leases), j.db.clock(), d.Microseconds())...)
		if err != nil {
			return err
		}
		held := map[leaseKey]bool{}
		var k leaseKey
		if _, err := pgx.ForEachRow(rows, []any{&k.job, &k.n, &k.token}, func() error { held[k] = true; return nil }); err != nil {
			return err
		}
		for _, l := range leases {
			if k, ok := keyOf(l); !ok || !held[k] {
				lost = append(lost, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

// leaseKey is a lease as the database writes it.
type leaseKey struct {
	job   string
	n     int32
	token string
}

// keyOf reads a lease; one whose id is no UUID, or whose number is no item's, is nobody's.
func keyOf(l job.Lease) (leaseKey, bool) {
	id, ok := idOf(l.Job)
	return leaseKey{id, int32(l.N), l.Token}, ok && l.N >= 0 && l.N < job.MostItems
}

// leaseColumns gives the parameters of ofLeases, each lease once.
func leaseColumns(leases []job.Lease) []any {
	jobs, numbers, tokens, seen := []string{}, []int32{}, []string{}, make(map[leaseKey]bool, len(leases))
	for _, l := range leases {
		k, ok := keyOf(l)
		if !ok || seen[k] {
			continue
		}
		seen[k] = true
		jobs, numbers, tokens = append(jobs, k.job), append(numbers, k.n), append(tokens, k.token)
	}
	return []any{uuids(jobs), numbers, tokens}
}
