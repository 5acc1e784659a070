package statement

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// The columns of a request: those that a list reads, and the long ones behind them.
const (
	RequestColumns = `id, client_id, team, key, time, status, code, validation_status, provider, model, schema, schema_hash,
	dialect_mode, flags, language, input_tokens, output_tokens, cached_tokens, cost, processing, overhead`
	LongColumns = `attempts, validation, prompt, answer, template`
)

// bySchema is the condition of the index requests_by_schema, which holds the requests with a registered schema alone.
const bySchema = `schema <> ''`

// The statements of the history that both engines take.
const (
	OneRequest    = `SELECT ` + RequestColumns + `, ` + LongColumns + ` FROM requests WHERE id = $1 AND ($2 OR team = $3)`
	DeleteRequest = `DELETE FROM requests WHERE id = $1 AND ($2 OR team = $3)`
	// A team's old requests are found by its index; the teams are found one after the other by the same index.
	NextTeam = `SELECT min(team) FROM requests WHERE team > $1`
	Tried    = `SELECT time, provider, model, validation_status, attempts FROM requests
	WHERE team = $1 AND schema = $2 AND ` + bySchema + ` AND attempts IS NOT NULL ORDER BY time DESC LIMIT $3`
)

// The flags of a request.
const (
	flagCached = 1 << iota
	flagCoalesced
)

// FlagsOf writes what is true of a request.
func FlagsOf(r *usage.Record) int64 {
	flags := int64(0)
	if r.Cached {
		flags |= flagCached
	}
	if r.Coalesced {
		flags |= flagCoalesced
	}
	return flags
}

// NoRequest is the answer where a request does not exist or lies outside the reach.
func NoRequest() error {
	return fault.New(fault.NotFound, "there is no such request in the history")
}

// Conditions are what follows WHERE, with the parameters that it names.
type Conditions struct {
	text strings.Builder
	Args []any
}

// String gives the conditions.
func (c *Conditions) String() string { return c.text.String() }

// And adds a condition; each question mark in it stands for one of the values.
func (c *Conditions) And(condition string, values ...any) {
	if c.text.Len() > 0 {
		c.text.WriteString(" AND ")
	}
	for _, v := range values {
		c.Args = append(c.Args, v)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(c.Args)), 1)
	}
	c.text.WriteString(condition)
}

// Choose adds what a filter that was checked asks for; the team is the caller's to add.
func (c *Conditions) Choose(f usage.Filter) {
	texts := []struct{ column, value string }{
		{"key", string(f.Key)}, {"provider", f.Provider}, {"model", f.Model}, {"validation_status", f.ValidationStatus},
	}
	for _, t := range texts {
		if t.value != "" {
			c.And(t.column+" = ?", t.value)
		}
	}
	if f.Schema != "" {
		c.schema(f.Schema)
	}
	if f.Status != 0 {
		c.And("status = ?", f.Status)
	}
	if !f.From.IsZero() {
		c.And("time >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		c.And("time < ?", f.To.UnixMicro())
	}
	if at, id, _ := f.After.Place(); id != "" { // Checked has refused what is no cursor.
		c.And("time <= ? AND (time < ? OR id < ?)", at, at, id)
	}
}

// schema chooses requests by a reference: name@version is one version, a name alone all of them.
func (c *Conditions) schema(ref string) {
	if strings.Contains(ref, "@") {
		c.And("schema = ? AND "+bySchema, ref)
		return
	}
	// The character behind @ ends the range of name@….
	c.And("schema >= ? AND schema < ? AND "+bySchema, ref+"@", ref+"A")
}

// RequestPage gives the statement of one team's page, the newest first; one more row than the limit tells whether another page follows.
func RequestPage(team string, f usage.Filter) (query string, args []any) {
	var c Conditions
	c.And("team = ?", team)
	c.Choose(f)
	args = append(c.Args, f.Limit+1)
	return fmt.Sprintf("SELECT %s FROM requests WHERE %s ORDER BY time DESC, id DESC LIMIT $%d", RequestColumns, c.String(), len(args)), args
}

// CutPage cuts a page that was read with one row more than its limit, and gives the cursor of the next one where there is one.
func CutPage(list []usage.Record, limit int) ([]usage.Record, usage.Cursor) {
	if len(list) <= limit {
		return list, ""
	}
	last := &list[limit-1]
	return list[:limit], usage.CursorAt(last.Time, last.RequestID)
}

// ScanRequest reads RequestColumns and what follows them.
func ScanRequest(row Row, more ...any) (r usage.Record, err error) {
	var at, flags, processing, overhead int64
	var cost sql.NullInt64
	dest := append([]any{
		&r.RequestID, &r.ClientRequestID, &r.Team, &r.Key, &at, &r.Status, &r.Code, &r.ValidationStatus, &r.Provider, &r.Model,
		&r.Schema, &r.SchemaHash, &r.DialectMode, &flags, &r.Language, &r.Tokens.Input, &r.Tokens.Output, &r.Tokens.CachedInput,
		&cost, &processing, &overhead,
	}, more...)
	if err := row.Scan(dest...); err != nil {
		return usage.Record{}, err
	}
	r.Time = time.UnixMicro(at).UTC()
	r.Cached, r.Coalesced = flags&flagCached != 0, flags&flagCoalesced != 0
	r.Cost = usage.Cost{Nanos: key.Nanos(cost.Int64), Known: cost.Valid}
	r.Processing, r.Overhead = time.Duration(processing)*time.Microsecond, time.Duration(overhead)*time.Microsecond
	return r, nil
}

// ScanWhole reads a row of OneRequest.
func ScanWhole(row Row) (usage.Record, error) {
	var attempts, validation, prompt, answer sql.NullString
	var template string
	r, err := ScanRequest(row, &attempts, &validation, &prompt, &answer, &template)
	if err != nil {
		return usage.Record{}, err
	}
	if attempts.Valid {
		r.Attempts = []byte(attempts.String)
	}
	if validation.Valid {
		r.Validation = []byte(validation.String)
	}
	r.Prompt, r.Answer, r.Template = prompt.String, answer.String, template
	return r, nil
}

// ScanTried reads a row of Tried.
func ScanTried(row Row, team key.TeamID, ref string) (usage.Record, error) {
	var at int64
	r := usage.Record{Team: team, Schema: ref}
	if err := row.Scan(&at, &r.Provider, &r.Model, &r.ValidationStatus, &r.Attempts); err != nil {
		return usage.Record{}, err
	}
	r.Time = time.UnixMicro(at).UTC()
	return r, nil
}
