package statement

import (
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/key"
)

// Batches are the statements of batches at providers, for an engine.
type Batches struct {
	// Keep takes the now of a test or null, the holder, the lease, and KeepBatchArgs. Save takes now, holder, next, lease and SaveBatchArgs. Hold takes now, holder, lease and
	// the label. Take takes now, holder, lease, how many and the lag. Forget takes now, keep and how many.
	Keep, Save, Hold, Take, Forget string
}

// batchColumns are those that Take gives, with when the batch was due.
const batchColumns = `label, stage, provider, model, via, remote_id, input_file, output_file, error_file, items, looks, failures, cancelled, code, owner, forfeited, created_at, expires_at, due_at`

// NewBatches makes them for an engine, by how it says what time it is where $1 stands in for its clock, and by what it adds to a choice of rows to be changed.
func NewBatches(clock, locking string) Batches {
	return Batches{
		Keep: `INSERT INTO batches (created_at, due_at, holder, lease_until, label, stage, provider, model, via, items,
			owner, remote_id, input_file, output_file, error_file, looks, failures, cancelled, code, forfeited)
			SELECT ` + clock + `, ` + clock + `, $2, ` + clock + ` + CAST($3 AS bigint), $4, $5, $6, $7, $8, CAST($9 AS bigint), $2, '', '', '', '', 0, 0, 0, '', 0`,
		Save: `UPDATE batches SET due_at = ` + clock + ` + CAST($3 AS bigint), holder = CASE WHEN CAST($3 AS bigint) > 0 THEN '' ELSE holder END,
			lease_until = CASE WHEN CAST($3 AS bigint) > 0 THEN 0 ELSE ` + clock + ` + CAST($4 AS bigint) END,
			stage = $6, via = $7, remote_id = $8, input_file = $9, output_file = $10, error_file = $11,
			looks = $12, failures = $13, cancelled = $14, code = $15, expires_at = $16, owner = $17, forfeited = $18 WHERE label = $5 AND holder = $2`,
		Hold: `UPDATE batches SET lease_until = ` + clock + ` + CAST($3 AS bigint) WHERE label = $4 AND holder = $2`,
		Take: `UPDATE batches SET holder = $2, lease_until = ` + clock + ` + CAST($3 AS bigint) WHERE label IN (
			SELECT label FROM batches WHERE stage <> 'closed' AND lease_until <= ` + clock + `
			AND due_at <= ` + clock + ` - CASE WHEN owner = $2 OR owner = '' THEN 0 ELSE CAST($5 AS bigint) END ORDER BY due_at, label LIMIT $4` + locking + `)
			RETURNING ` + batchColumns,
		Forget: `DELETE FROM batches WHERE label IN (
			SELECT label FROM batches WHERE stage = 'closed' AND created_at <= ` + clock + ` - CAST($2 AS bigint) ORDER BY created_at LIMIT $3` + locking + `) RETURNING label`,
	}
}

// The statements that both engines have alike.
const (
	KeepBatchItem = `INSERT INTO batch_items (label, place, job, n, token, team, key, mode, reserved) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	// BatchItems takes the label, the first place and how many.
	BatchItems = `SELECT place, job, n, token, team, key, mode, reserved FROM batch_items WHERE label = $1 AND place >= $2 AND ended = 0 ORDER BY place LIMIT $3`
	// EndBatchItem takes the label and the place.
	EndBatchItem = `UPDATE batch_items SET ended = 1 WHERE label = $1 AND place = $2`
	// OwnedBatches are the labels of an owner's batches, and LeaveBatches gives them up; both take the owner.
	OwnedBatches = `SELECT label FROM batches WHERE owner = $1 AND stage <> 'closed'`
	LeaveBatches = `UPDATE batches SET owner = '' WHERE owner = $1 AND stage <> 'closed'`
	// BatchTried takes the job and the item's number in it.
	BatchTried = `SELECT 1 FROM batch_items WHERE job = $1 AND n = $2`
	// ForgetBatchItems deletes the items of a batch that was deleted; it takes the label.
	ForgetBatchItems = `DELETE FROM batch_items WHERE label = $1`
)

// KeepBatchArgs are the parameters of Keep behind the holder's lease.
func KeepBatchArgs(b *bulk.Batch) []any {
	return []any{b.Label, string(b.Stage), b.Provider, b.Model, b.Via, b.Items}
}

// SaveBatchArgs are the parameters of Save behind the lease.
func SaveBatchArgs(b *bulk.Batch) []any {
	flag := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	return []any{
		b.Label, string(b.Stage), b.Via, b.ID, b.InputFile, b.OutputFile, b.ErrorFile, b.Looks, b.Failures, flag(b.Cancelled), b.Code, Micros(b.ExpiresAt),
		b.Owner, flag(b.Forfeited),
	}
}

// BatchItemArgs are the parameters of KeepBatchItem.
func BatchItemArgs(label string, i *bulk.Item) []any {
	return []any{label, i.N, string(i.Lease.Job), i.Lease.N, i.Lease.Token, string(i.Team), string(i.Key), string(i.Mode), int64(i.Reserved)}
}

// ScanBatch reads a row of Take, and when it was due.
func ScanBatch(row Row) (b bulk.Batch, due int64, err error) {
	var created int64
	var cancelled, forfeited int
	var expires sql.NullInt64
	err = row.Scan(&b.Label, &b.Stage, &b.Provider, &b.Model, &b.Via, &b.ID, &b.InputFile, &b.OutputFile, &b.ErrorFile, &b.Items, &b.Looks, &b.Failures,
		&cancelled, &b.Code, &b.Owner, &forfeited, &created, &expires, &due)
	b.Cancelled, b.Forfeited = cancelled != 0, forfeited != 0
	b.CreatedAt, b.ExpiresAt = time.UnixMicro(created).UTC(), TimeOf(expires)
	return b, due, err
}

// ScanBatchItem reads a row of BatchItems.
func ScanBatchItem(row Row) (i bulk.Item, err error) {
	var reserved int64
	err = row.Scan(&i.N, &i.Lease.Job, &i.Lease.N, &i.Lease.Token, &i.Team, &i.Key, &i.Mode, &reserved)
	i.Reserved = key.Nanos(reserved)
	return i, err
}
