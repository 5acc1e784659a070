package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// prepared holds the statements of one driver connection, each compiled when it is first used. It belongs to whoever has the write connection.
type prepared struct {
	conn driver.Conn
	made map[string]preparedStatement
	// blocks are the statements for several rows, by their block's head and how many.
	blocks map[blockOf]preparedStatement
	args   []driver.NamedValue
}

// block is a statement for several rows: its head, what each of them adds with a comma between, and its tail. SQLite does with one of sixteen rows in a third of the
// time what it does with sixteen of one.
type block struct {
	head, row, tail string
	// width is how many parameters a row has.
	width int
}

type blockOf struct {
	head string
	rows int
}

// text is the statement for so many rows.
func (b block) text(rows int) string {
	return b.head + strings.Repeat(b.row+", ", rows-1) + b.row + b.tail
}

// portion is how many of so many rows go into one statement: few numbers, so that few statements are kept.
func portion(rows int) int {
	const some = 4
	switch {
	case rows >= blockRows:
		return blockRows
	case rows >= some:
		return some
	default:
		return 1
	}
}

// preparedStatement is a prepared statement of the driver, which database/sql would convert and check each parameter for.
type preparedStatement interface {
	statement
	driver.StmtQueryContext
}

// on gives the statement of a query on a connection.
func (p *prepared) on(raw any, query string) (preparedStatement, error) {
	if err := p.belong(raw); err != nil {
		return nil, err
	}
	if s, ok := p.made[query]; ok {
		return s, nil
	}
	s, err := p.prepare(query)
	if err == nil {
		p.made[query] = s
	}
	return s, err
}

// onBlock gives the statement of a block for so many rows.
func (p *prepared) onBlock(raw any, b *block, rows int) (preparedStatement, error) {
	if err := p.belong(raw); err != nil {
		return nil, err
	}
	if s, ok := p.blocks[blockOf{b.head, rows}]; ok {
		return s, nil
	}
	s, err := p.prepare(b.text(rows))
	if err == nil {
		p.blocks[blockOf{b.head, rows}] = s
	}
	return s, err
}

// belong forgets the statements of another connection: they ended with it when database/sql gave it up.
func (p *prepared) belong(raw any) error {
	conn, ok := raw.(driver.Conn)
	if !ok {
		return fmt.Errorf("the driver's connection is a %T", raw)
	}
	if p.conn != conn {
		*p = prepared{conn: conn, made: map[string]preparedStatement{}, blocks: map[blockOf]preparedStatement{}, args: p.args}
	}
	return nil
}

func (p *prepared) prepare(query string) (preparedStatement, error) {
	made, err := p.conn.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60s: %w", query, err)
	}
	s, ok := made.(preparedStatement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's statement is a %T", made), made.Close())
	}
	return s, nil
}

// bind gives parameters as the driver takes them, in a list that is used again; unbind lets go of what it holds.
func (p *prepared) bind(lists ...[]driver.Value) []driver.NamedValue {
	n := 0
	for _, list := range lists {
		for len(p.args) < n+len(list) {
			p.args = append(p.args, driver.NamedValue{Ordinal: len(p.args) + 1})
		}
		for i, v := range list {
			p.args[n+i].Value = v
		}
		n += len(list)
	}
	return p.args[:n]
}

func unbind(bound []driver.NamedValue) {
	for i := range bound {
		bound[i].Value = nil
	}
}

func (p *prepared) close() {
	for _, s := range p.made {
		_ = s.Close() // The connection is closed next; nothing depends on it.
	}
	for _, s := range p.blocks {
		_ = s.Close() // Likewise.
	}
	*p = prepared{}
}

// jobTx is a transaction in progress. Parameters are anonymous, because the driver looks each numbered one up by name, and of the driver's own types: int64,
// string, []byte or nil.
type jobTx struct {
	raw  any // The driver's connection.
	made *prepared
	now  time.Time
	// heard says of teams whether they have endpoints, as far as that was looked up.
	heard map[key.TeamID]bool
}

// exec runs a statement and says how many rows it changed.
func (t *jobTx) exec(ctx context.Context, query string, args ...driver.Value) (changed int64, err error) {
	done, err := t.run(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (t *jobTx) run(ctx context.Context, query string, args []driver.Value) (driver.Result, error) {
	s, err := t.made.on(t.raw, query)
	if err != nil {
		return nil, err
	}
	bound := t.made.bind(args)
	defer unbind(bound)
	return s.ExecContext(ctx, bound)
}

// general runs a statement that both engines share.
func (t *jobTx) general(ctx context.Context, query string, args []any) (changed int64, err error) {
	list := make([]driver.Value, len(args))
	for i, v := range args {
		list[i] = v
	}
	return t.exec(ctx, query, list...)
}

// execRows runs a statement for all rows, whose parameters follow each other in list behind the common ones, and says how many it changed.
func (t *jobTx) execRows(ctx context.Context, b block, common, list []driver.Value) (changed int64, err error) {
	for rows := len(list) / b.width; rows > 0; rows = len(list) / b.width {
		n := portion(rows)
		s, err := t.made.onBlock(t.raw, &b, n)
		if err != nil {
			return changed, err
		}
		bound := t.made.bind(common, list[:n*b.width])
		list = list[n*b.width:]
		done, err := s.ExecContext(ctx, bound)
		unbind(bound)
		if err != nil {
			return changed, err
		}
		more, err := done.RowsAffected()
		if changed += more; err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// errEnough is what a scan answers that wants no more rows.
var errEnough = errors.New("sqlite: enough")

// query hands each row to scan, which must not keep it. Another statement is to be run after it, not within.
func (t *jobTx) query(ctx context.Context, scan func(row []driver.Value) error, query string, args ...driver.Value) error {
	s, err := t.made.on(t.raw, query)
	if err != nil {
		return err
	}
	return t.rows(ctx, s, scan, t.made.bind(args))
}

// queryRows hands each row to scan that is found by the parameters in list.
func (t *jobTx) queryRows(ctx context.Context, scan func(row []driver.Value) error, b block, list []driver.Value) error {
	for rows := len(list) / b.width; rows > 0; rows = len(list) / b.width {
		n := portion(rows)
		s, err := t.made.onBlock(t.raw, &b, n)
		if err != nil {
			return err
		}
		if err := t.rows(ctx, s, scan, t.made.bind(list[:n*b.width])); err != nil {
			return err
		}
		list = list[n*b.width:]
	}
	return nil
}

func (t *jobTx) rows(ctx context.Context, s preparedStatement, scan func(row []driver.Value) error, bound []driver.NamedValue) error {
	defer unbind(bound)
	rows, err := s.QueryContext(ctx, bound)
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		if err = rows.Next(row); err == nil {
			err = scan(row)
		}
	}
	if err == io.EOF || err == errEnough { //nolint:errorlint // They are given as they are.
		err = nil
	}
	return errors.Join(err, rows.Close())
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
