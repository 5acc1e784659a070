package job

import (
	"slices"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/usage"
)

// Filter chooses jobs.
type Filter struct {
	State State
	// From and To bound CreatedAt, From included; zero means open.
	From, To time.Time
	After    Cursor
	// Limit is [usage.DefaultPage] where it is zero.
	Limit int
}

// Checked gives the filter with its defaults, or says what is wrong.
func (f Filter) Checked() (Filter, error) {
	if f.Limit == 0 {
		f.Limit = usage.DefaultPage
	}
	if f.Limit < 1 || f.Limit > usage.MaxPage {
		return f, fault.Invalid("", "range", "limit is 1 to "+strconv.Itoa(usage.MaxPage), "use the cursor for more")
	}
	if f.State != "" && !slices.Contains(States(), f.State) {
		return f, fault.Invalid("", "enum", strconv.Quote(string(f.State))+" is no state of a job", "use one of pending, processing, completed, completed_with_errors, failed, cancelled, expired")
	}
	if _, _, err := f.After.Place(); err != nil {
		return f, err
	}
	return f, nil
}

// Cursor is a place in a list of jobs: the time and id of the last one seen. It stays right while jobs are added.
type Cursor string

// CursorAt gives the place of a job.
func CursorAt(j Job) Cursor { return Cursor(usage.CursorAt(j.CreatedAt, string(j.ID))) }

// Place gives the time in Unix microseconds and the id, or a fault where the text is no cursor. An empty cursor has no id.
func (c Cursor) Place() (micros int64, id ID, err error) {
	micros, text, err := usage.Cursor(c).Place()
	return micros, ID(text), err
}
