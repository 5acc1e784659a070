package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
	"github.com/promptd/promptd/internal/usage"
)

// History keeps requests and sums in history.db.
type History struct {
	file *file

	// writer is used by whoever has the write connection.
	writer historyWriter
}

func newHistory(f *file) *History { return &History{file: f} }

func (h *History) close() error {
	h.writer.close()
	return h.file.close()
}

// The shape of a write.
const (
	// blockRows share one statement. Between blocks other goroutines get the processor: a block takes about 0.1 ms.
	blockRows = 16
	// insertArgs are the columns of a request. SQLite allows 32,766 parameters a statement.
	insertArgs = 26
	sumArgs    = 15
)

// Parameters are anonymous, because the driver looks each numbered one up by name.
const (
	insertRequest = `INSERT INTO requests (id, client_id, team, key, time, status, code, validation_status, provider, model, schema,
	schema_hash, dialect_mode, flags, language, input_tokens, output_tokens, cached_tokens, cost, processing, overhead, attempts,
	validation, prompt, answer, template) VALUES `
	unlessThere = ` ON CONFLICT (id) DO NOTHING`
	addSums     = `INSERT INTO usage (team, hour, key, provider, model, schema, requests, passed, cached, coalesced, input_tokens,
	output_tokens, cached_tokens, cost, unpriced_requests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (team, hour, key, provider, model, schema) DO UPDATE SET requests = requests + excluded.requests,
	passed = passed + excluded.passed, cached = cached + excluded.cached, coalesced = coalesced + excluded.coalesced,
	input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
	cached_tokens = cached_tokens + excluded.cached_tokens, cost = cost + excluded.cost,
	unpriced_requests = unpriced_requests + excluded.unpriced_requests`
)

// Append keeps records and their sums in one transaction. It speaks to the driver itself with statements prepared once:
// database/sql would convert and check each of some thousand parameters a batch, for half as much again.
func (h *History) Append(ctx context.Context, batch []usage.Record) (err error) {
	began := time.Now()
	defer func() {
		h.file.noteWrite(err)
		h.file.observe("history_append", time.Since(began), err)
	}()
	conn, err := h.file.write.Conn(ctx)
	if err != nil {
		return explain("append to the history", err)
	}
	defer conn.Close()
	if err := ctx.Err(); err != nil {
		return explain("append to the history", err)
	}
	// A context that can end makes the driver start a goroutine a statement; the write is short and runs through.
	whole := context.WithoutCancel(ctx)
	err = conn.Raw(func(raw any) error {
		if err := h.writer.prepare(raw); err != nil {
			return err
		}
		return h.writer.write(whole, batch)
	})
	if err != nil {
		return explain("append to the history", err)
	}
	return nil
}

// historyWriter holds the statements of one driver connection.
type historyWriter struct {
	conn                          driver.Conn
	begin, commit, rollback       statement
	insertBlock, insertOne, addUp statement
	args                          []driver.NamedValue
	rollup                        usage.Rollup
}

// statement is a prepared statement of the driver.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
}

// prepare makes the statements, unless they were made on this connection.
func (w *historyWriter) prepare(raw any) error {
	conn, ok := raw.(driver.Conn)
	if !ok {
		return fmt.Errorf("the driver's connection is a %T", raw)
	}
	if w.conn == conn {
		return nil
	}
	// The statements of a connection that database/sql has given up ended with it.
	*w = historyWriter{conn: conn, args: make([]driver.NamedValue, blockRows*insertArgs)}
	for i := range w.args {
		w.args[i].Ordinal = i + 1
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", insertArgs), ", ") + ")"
	block := strings.TrimSuffix(strings.Repeat(one+", ", blockRows), ", ")
	for _, p := range []struct {
		to    *statement
		query string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.addUp, addSums},
		{&w.insertOne, insertRequest + one + unlessThere},
		{&w.insertBlock, insertRequest + block},
	} {
		made, err := conn.Prepare(p.query)
		if err == nil {
			if *p.to, ok = made.(statement); !ok {
				err = fmt.Errorf("the driver's statement is a %T", made)
			}
		}
		if err != nil {
			w.close()
			return fmt.Errorf("prepare %.30s: %w", p.query, err)
		}
	}
	return nil
}

func (w *historyWriter) close() {
	for _, s := range []statement{w.begin, w.commit, w.rollback, w.insertBlock, w.insertOne, w.addUp} {
		if s != nil {
			_ = s.Close() // The connection is closed next; nothing depends on it.
		}
	}
	*w = historyWriter{}
}

// write is one transaction.
func (w *historyWriter) write(ctx context.Context, batch []usage.Record) (err error) {
	if _, err := w.begin.ExecContext(ctx, nil); err != nil {
		return err
	}
	defer func() {
		for i := range w.args {
			w.args[i].Value = nil // No text is held until the next write.
		}
		if err == nil {
			return
		}
		if _, undo := w.rollback.ExecContext(ctx, nil); undo != nil {
			// The connection is in an unknown state: database/sql replaces it on this answer.
			err = errors.Join(driver.ErrBadConn, err, undo)
		}
	}()
	w.rollup.Reset()
	for rest := batch; len(rest) > 0; {
		block := rest[:min(blockRows, len(rest))]
		rest = rest[len(block):]
		if err := w.insert(ctx, block); err != nil {
			return err
		}
		runtime.Gosched()
	}
	for slot, s := range w.rollup.All() {
		if err := w.add(ctx, slot, s); err != nil {
			return err
		}
	}
	_, err = w.commit.ExecContext(ctx, nil)
	return err
}

// insert writes a block and sums it. A block that holds a request which is there already fails as a whole and changes nothing;
// its requests then go in one by one.
func (w *historyWriter) insert(ctx context.Context, block []usage.Record) error {
	if len(block) == blockRows {
		for i := range block {
			fill(w.args[i*insertArgs:], &block[i])
		}
		_, err := w.insertBlock.ExecContext(ctx, w.args)
		if err == nil {
			for i := range block {
				w.rollup.Add(&block[i])
			}
			return nil
		}
		if !isConflict(err) {
			return err
		}
	}
	for i := range block {
		fill(w.args, &block[i])
		done, err := w.insertOne.ExecContext(ctx, w.args[:insertArgs])
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		if n == 1 {
			w.rollup.Add(&block[i])
		}
	}
	return nil
}

// fill sets the parameters of one request, in the order of insertRequest.
func fill(args []driver.NamedValue, r *usage.Record) {
	args[0].Value = r.RequestID
	args[1].Value = r.ClientRequestID
	args[2].Value = string(r.Team)
	args[3].Value = string(r.Key)
	args[4].Value = r.Time.UnixMicro()
	args[5].Value = int64(r.Status)
	args[6].Value = r.Code
	args[7].Value = r.ValidationStatus
	args[8].Value = r.Provider
	args[9].Value = r.Model
	args[10].Value = r.Schema
	args[11].Value = r.SchemaHash
	args[12].Value = r.DialectMode
	args[13].Value = sqltext.FlagsOf(r)
	args[14].Value = r.Language
	args[15].Value = r.Tokens.Input
	args[16].Value = r.Tokens.Output
	args[17].Value = r.Tokens.CachedInput
	args[18].Value = nil
	if r.Cost.Known {
		args[18].Value = int64(r.Cost.Nanos)
	}
	args[19].Value = r.Processing.Microseconds()
	args[20].Value = r.Overhead.Microseconds()
	args[21].Value = textOrNull(string(r.Attempts))
	args[22].Value = textOrNull(string(r.Validation))
	args[23].Value = textOrNull(r.Prompt)
	args[24].Value = textOrNull(r.Answer)
	args[25].Value = r.Template
}

func textOrNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// add adds one slot's sums to those that are kept.
func (w *historyWriter) add(ctx context.Context, slot usage.Slot, s *usage.Sums) error {
	values := [sumArgs]driver.Value{
		string(slot.Team), slot.Hour, string(slot.Key), slot.Provider, slot.Model, slot.Schema, s.Requests, s.Passed, s.Cached,
		s.Coalesced, s.Tokens.Input, s.Tokens.Output, s.Tokens.CachedInput, int64(s.Cost), s.UnpricedRequests,
	}
	for i, v := range values {
		w.args[i].Value = v
	}
	_, err := w.addUp.ExecContext(ctx, w.args[:sumArgs])
	return err
}

// Delete removes one record with its texts.
func (h *History) Delete(ctx context.Context, reach key.Reach, id string) error {
	team, all := reach.Team()
	return h.file.tx(ctx, "history_delete", func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, sqltext.DeleteRequest, id, all, string(team))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return sqltext.NoRequest()
	})
}

// A team's old requests are found by its index; the teams are found one after the other by the same index.
const purgeOfOne = `DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE team = $1 AND time < $2 ORDER BY time LIMIT $3)`

// Purge deletes a portion of what is older than the time.
func (h *History) Purge(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	err = h.file.tx(ctx, "history_purge", func(ctx context.Context, tx *sql.Tx) error {
		team := ""
		for deleted < limit {
			var next sql.NullString
			if err := tx.QueryRowContext(ctx, sqltext.NextTeam, team).Scan(&next); err != nil || !next.Valid {
				return err
			}
			team = next.String
			done, err := tx.ExecContext(ctx, purgeOfOne, team, before.UnixMicro(), limit-deleted)
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			if err != nil {
				return err
			}
			deleted += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}
