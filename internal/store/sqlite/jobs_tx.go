package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// prepared holds the statements of one driver connection, each compiled when it is first used. It belongs to whoever has the write connection.
type prepared struct {
	conn driver.Conn
	made map[string]preparedStatement
	args []driver.NamedValue
}

// preparedStatement is a prepared statement of the driver, which database/sql would convert and check each parameter for.
type preparedStatement interface {
	statement
	driver.StmtQueryContext
}

// on gives the statement of a query on a connection.
func (p *prepared) on(raw any, query string) (preparedStatement, error) {
	conn, ok := raw.(driver.Conn)
	if !ok {
		return nil, fmt.Errorf("the driver's connection is a %T", raw)
	}
	if p.conn != conn {
		// The statements of a connection that database/sql has given up ended with it.
		*p = prepared{conn: conn, made: map[string]preparedStatement{}, args: p.args}
	}
	if s, ok := p.made[query]; ok {
		return s, nil
	}
	made, err := conn.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60s: %w", query, err)
	}
	s, ok := made.(preparedStatement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's statement is a %T", made), made.Close())
	}
	p.made[query] = s
	return s, nil
}

// bind gives parameters as the driver takes them, in a list that is used again.
func (p *prepared) bind(args []driver.Value) []driver.NamedValue {
	for len(p.args) < len(args) {
		p.args = append(p.args, driver.NamedValue{Ordinal: len(p.args) + 1})
	}
	for i, v := range args {
		p.args[i].Value = v
	}
	return p.args[:len(args)]
}

func (p *prepared) close() {
	for _, s := range p.made {
		_ = s.Close() // The connection is closed next; nothing depends on it.
	}
	*p = prepared{}
}

// jobTx is a transaction in progress. Parameters are anonymous, because the driver looks each numbered one up by name, and of the driver's own types: int64,
// string, []byte or nil.
type jobTx struct {
	conn *sql.Conn
	tx   *sql.Tx
	made *prepared
	now  time.Time
}

// exec runs a statement and says how many rows it changed.
func (t *jobTx) exec(ctx context.Context, query string, args ...driver.Value) (changed int64, err error) {
	done, err := t.run(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (t *jobTx) run(ctx context.Context, query string, args []driver.Value) (done driver.Result, err error) {
	err = t.conn.Raw(func(raw any) error {
		s, err := t.made.on(raw, query)
		if err != nil {
			return err
		}
		bound := t.made.bind(args)
		defer clear(args)
		done, err = s.ExecContext(ctx, bound)
		return err
	})
	return done, err
}

// query hands each row to scan, which must not keep it. Another statement is to be run after it, not within.
func (t *jobTx) query(ctx context.Context, scan func(row []driver.Value) error, query string, args ...driver.Value) error {
	return t.conn.Raw(func(raw any) error {
		s, err := t.made.on(raw, query)
		if err != nil {
			return err
		}
		rows, err := s.QueryContext(ctx, t.made.bind(args))
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(rows.Columns()))
		for err == nil {
			if err = rows.Next(row); err == nil {
				err = scan(row)
			}
		}
		if err == io.EOF { //nolint:errorlint // The driver gives it as it is.
			err = nil
		}
		return errors.Join(err, rows.Close())
	})
}

// one reads at most one row.
func (t *jobTx) one(ctx context.Context, scan func(row []driver.Value), query string, args ...driver.Value) (found bool, err error) {
	err = t.query(ctx, func(row []driver.Value) error {
		if !found {
			scan(row)
		}
		found = true
		return nil
	}, query, args...)
	return found, err
}

// What a driver's value is; null is the zero value.
func whole(v driver.Value) int64  { n, _ := v.(int64); return n }
func words(v driver.Value) string { s, _ := v.(string); return s }
func blob(v driver.Value) []byte  { b, _ := v.([]byte); return b }

// moment reads what instant and micros wrote.
func moment(v driver.Value) time.Time {
	n, ok := v.(int64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// instant writes a time, or null where it is zero.
func instant(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// bytesOrNull writes bytes, or null where there are none.
func bytesOrNull(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}

// flag writes a truth.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
