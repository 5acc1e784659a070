package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// History keeps requests and sums.
type History struct{ db *DB }

// History is the part that keeps requests and sums.
func (db *DB) History() *History { return &History{db} }

// A batch goes over in two statements, each with an array a column: their text is always the same, so that it is prepared once, and the number of parameters does
// not grow. COPY would be no quicker for some hundred rows, and can't leave out those that are there.
const (
	newRequests = `INSERT INTO requests (id, client_id, team, key, time, status, code, validation_status, provider, model, schema, schema_hash, dialect_mode,
	flags, language, input_tokens, output_tokens, cached_tokens, cost, processing, overhead, attempts, validation, prompt, answer, template)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
	$11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[],
	$21::bigint[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[])`
	// addRequests leaves out those that are there, which costs each of them a look beforehand and a mark afterwards.
	addRequests = newRequests + ` ON CONFLICT DO NOTHING RETURNING id`
	addSums     = `INSERT INTO usage AS u (team, hour, key, provider, model, schema, requests, passed, cached, coalesced, input_tokens, output_tokens,
	cached_tokens, cost, unpriced_requests)
	SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[],
	$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
	ON CONFLICT (team, hour, key, provider, model, schema) DO UPDATE SET requests = u.requests + excluded.requests, passed = u.passed + excluded.passed,
	cached = u.cached + excluded.cached, coalesced = u.coalesced + excluded.coalesced, input_tokens = u.input_tokens + excluded.input_tokens,
	output_tokens = u.output_tokens + excluded.output_tokens, cached_tokens = u.cached_tokens + excluded.cached_tokens, cost = u.cost + excluded.cost,
	unpriced_requests = u.unpriced_requests + excluded.unpriced_requests`
)

// The bounds of a write.
const (
	// mostRows share one transaction at most; a larger batch is refused, for it must be kept whole or not at all.
	mostBatch = 10_000
	// mostName bounds the texts of a sum's name, in bytes: an index entry of PostgreSQL holds some 2,700, and there are five. Providers' and models' names are far
	// shorter; what is cut still is in the request.
	mostName = 400
)

// Append keeps records and their sums in one transaction. Other processes add to the same sums: all take them in one order, and hold them for one commit.
func (h *History) Append(ctx context.Context, batch []usage.Record) error {
	if len(batch) > mostBatch {
		return errBatch(len(batch))
	}
	if len(batch) == 0 {
		return nil
	}
	h.db.months.prepare(ctx, h.db, batch)
	columns := columnsOf(batch)
	var rollup usage.Rollup
	for i := range batch {
		rollup.Add(&batch[i])
	}
	err := h.db.steady(ctx, "history_append", func(b *pgx.Batch) {
		b.Queue(newRequests, columns...)
		b.Queue(addSums, sumsOf(rollup.All())...)
	})
	if !isConflict(err) {
		return err
	}
	return h.appendAgain(ctx, batch, columns)
}

// appendAgain keeps records of which some are there already, such as those of a batch whose answer was lost.
func (h *History) appendAgain(ctx context.Context, batch []usage.Record, columns []any) error {
	return h.db.tx(ctx, "history_append_again", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, addRequests, columns...)
		if err != nil {
			return err
		}
		kept, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(kept) == 0 {
			return err
		}
		var rollup usage.Rollup
		sum(&rollup, batch, kept)
		_, err = tx.Exec(ctx, addSums, sumsOf(rollup.All())...)
		return err
	})
}

// sum adds up the records that were kept: mostly all, and none twice.
func sum(rollup *usage.Rollup, batch []usage.Record, kept []string) {
	if len(kept) == len(batch) {
		for i := range batch {
			rollup.Add(&batch[i])
		}
		return
	}
	fresh := make(map[string]bool, len(kept))
	for _, id := range kept {
		fresh[id] = true
	}
	for i := range batch {
		if id := whole(batch[i].RequestID); fresh[id] {
			rollup.Add(&batch[i])
			delete(fresh, id)
		}
	}
}

// columnsOf gives the parameters of newRequests and addRequests.
func columnsOf(batch []usage.Record) []any {
	text := func(of func(r *usage.Record) string) []string {
		list := make([]string, len(batch))
		for i := range batch {
			list[i] = whole(of(&batch[i]))
		}
		return list
	}
	long := func(of func(r *usage.Record) string) []*string {
		list := make([]*string, len(batch))
		for i := range batch {
			if s := whole(of(&batch[i])); s != "" {
				list[i] = &s
			}
		}
		return list
	}
	number := func(of func(r *usage.Record) int64) []int64 {
		list := make([]int64, len(batch))
		for i := range batch {
			list[i] = of(&batch[i])
		}
		return list
	}
	costs := make([]*int64, len(batch))
	for i := range batch {
		if c := &batch[i].Cost; c.Known {
			nanos := int64(c.Nanos)
			costs[i] = &nanos
		}
	}
	return []any{
		text(func(r *usage.Record) string { return r.RequestID }),
		text(func(r *usage.Record) string { return r.ClientRequestID }),
		text(func(r *usage.Record) string { return string(r.Team) }),
		text(func(r *usage.Record) string { return string(r.Key) }),
		number(func(r *usage.Record) int64 { return r.Time.UnixMicro() }),
		number(func(r *usage.Record) int64 { return int64(r.Status) }),
		text(func(r *usage.Record) string { return r.Code }),
		text(func(r *usage.Record) string { return r.ValidationStatus }),
		text(func(r *usage.Record) string { return r.Provider }),
		text(func(r *usage.Record) string { return r.Model }),
		text(func(r *usage.Record) string { return r.Schema }),
		text(func(r *usage.Record) string { return r.SchemaHash }),
		text(func(r *usage.Record) string { return r.DialectMode }),
		number(statement.FlagsOf),
		text(func(r *usage.Record) string { return r.Language }),
		number(func(r *usage.Record) int64 { return int64(r.Tokens.Input) }),
		number(func(r *usage.Record) int64 { return int64(r.Tokens.Output) }),
		number(func(r *usage.Record) int64 { return int64(r.Tokens.CachedInput) }),
		costs,
		number(func(r *usage.Record) int64 { return r.Processing.Microseconds() }),
		number(func(r *usage.Record) int64 { return r.Overhead.Microseconds() }),
		long(func(r *usage.Record) string { return string(r.Attempts) }),
		long(func(r *usage.Record) string { return string(r.Validation) }),
		long(func(r *usage.Record) string { return r.Prompt }),
		long(func(r *usage.Record) string { return r.Answer }),
		text(func(r *usage.Record) string { return r.Template }),
	}
}

// whole makes a text one that PostgreSQL keeps: U+0000 and bytes that are no UTF-8 become U+FFFD. One such text must not keep a batch from being written for ever.
func whole(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// short cuts a text for an index, between two code points.
func short(s string) string {
	s = whole(s)
	if len(s) <= mostName {
		return s
	}
	end := mostName
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// sumsOf gives the parameters of addSums, in the order of the table's key.
func sumsOf(all map[usage.Slot]*usage.Sums) []any {
	cut := make(map[usage.Slot]*usage.Sums, len(all))
	for slot, s := range all {
		slot.Team, slot.Key = key.TeamID(short(string(slot.Team))), key.ID(short(string(slot.Key)))
		slot.Provider, slot.Model, slot.Schema = short(slot.Provider), short(slot.Model), short(slot.Schema)
		if there := cut[slot]; there != nil {
			there.Add(*s)
		} else {
			cut[slot] = s
		}
	}
	slots := make([]usage.Slot, 0, len(cut))
	for slot := range cut {
		slots = append(slots, slot)
	}
	slices.SortFunc(slots, func(a, b usage.Slot) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Provider, b.Provider),
			cmp.Compare(a.Model, b.Model), cmp.Compare(a.Schema, b.Schema))
	})
	text := func(of func(s usage.Slot) string) []string {
		list := make([]string, len(slots))
		for i, s := range slots {
			list[i] = of(s)
		}
		return list
	}
	number := func(of func(s *usage.Sums) int64) []int64 {
		list := make([]int64, len(slots))
		for i, s := range slots {
			list[i] = of(cut[s])
		}
		return list
	}
	hours := make([]int64, len(slots))
	for i, s := range slots {
		hours[i] = s.Hour
	}
	return []any{
		text(func(s usage.Slot) string { return string(s.Team) }),
		hours,
		text(func(s usage.Slot) string { return string(s.Key) }),
		text(func(s usage.Slot) string { return s.Provider }),
		text(func(s usage.Slot) string { return s.Model }),
		text(func(s usage.Slot) string { return s.Schema }),
		number(func(s *usage.Sums) int64 { return s.Requests }),
		number(func(s *usage.Sums) int64 { return s.Passed }),
		number(func(s *usage.Sums) int64 { return s.Cached }),
		number(func(s *usage.Sums) int64 { return s.Coalesced }),
		number(func(s *usage.Sums) int64 { return int64(s.Tokens.Input) }),
		number(func(s *usage.Sums) int64 { return int64(s.Tokens.Output) }),
		number(func(s *usage.Sums) int64 { return int64(s.Tokens.CachedInput) }),
		number(func(s *usage.Sums) int64 { return int64(s.Cost) }),
		number(func(s *usage.Sums) int64 { return s.UnpricedRequests }),
	}
}

// Delete removes one record with its texts.
func (h *History) Delete(ctx context.Context, reach key.Reach, id string) error {
	team, all := reach.Team()
	deleted, err := h.db.exec(ctx, "history_delete", statement.DeleteRequest, whole(id), all, string(team))
	if err == nil && deleted == 0 {
		err = statement.NoRequest()
	}
	return err
}
