package usage

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Store keeps the history. All methods can be called concurrently, end with the context's error when it is cancelled, and read
// and delete nothing outside the [key.Reach]; what lies outside of it is NOT_FOUND, as if it did not exist.
type Store interface {
	Appender
	Purger
	// Requests reads records without attempts, validation and texts, the newest first. An empty next cursor ends.
	Requests(ctx context.Context, reach key.Reach, f Filter) (list []Record, next Cursor, err error)
	// Request reads one record whole.
	Request(ctx context.Context, reach key.Reach, id string) (Record, error)
	// Delete removes one record with its texts; the sums that it went into stay.
	Delete(ctx context.Context, reach key.Reach, id string) error
	// Usage reads sums, in the order of the groups.
	Usage(ctx context.Context, reach key.Reach, q Query) (Report, error)
}

// Appender is what a [Log] writes to.
type Appender interface {
	// Append keeps records and adds them to the sums in one transaction: all or none. A record whose id is there already is
	// left out and not summed, so that a batch may be written again when it is not known whether it was.
	Append(ctx context.Context, batch []Record) error
}

// Purger is what [Retention] works on.
type Purger interface {
	// Purge deletes at most limit records that arrived before the time, and says how many; fewer than limit means that none is left.
	// A store that can may drop many more at once, where all of them are too old; those it does not count.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
}

// The sizes of a page of requests.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// Filter chooses requests. Empty fields choose all.
type Filter struct {
	Key              key.ID
	Status           int
	ValidationStatus string
	Provider         string
	Model            string
	// Schema is name@version, or a name for all of its versions.
	Schema string
	// From is included, To is not.
	From, To time.Time
	// Limit is 1 to MaxPage; 0 means DefaultPage.
	Limit int
	After Cursor
}

// Checked gives the filter with its defaults, or says what is wrong.
func (f Filter) Checked() (Filter, error) {
	if f.Limit == 0 {
		f.Limit = DefaultPage
	}
	if f.Limit < 1 || f.Limit > MaxPage {
		return f, fault.Invalid("", "range", "limit is 1 to "+strconv.Itoa(MaxPage), "use the cursor for more")
	}
	if _, _, err := f.After.Place(); err != nil {
		return f, err
	}
	return f, nil
}

// Cursor is a place in the list of requests: the time and id of the last one seen. It stays right while records are added.
type Cursor string

// CursorPattern matches every cursor, and the empty one; what it matches is a place.
const CursorPattern = `^(-?[0-9a-z]{1,11}\.[0-9A-Za-z_-]{1,128})?$`

// CursorAt gives the place of a record.
func CursorAt(t time.Time, id string) Cursor {
	return Cursor(strconv.FormatInt(t.UnixMicro(), 36) + "." + id)
}

// Place gives the time in Unix microseconds and the id, or a fault where the text is no cursor. An empty cursor has no id.
func (c Cursor) Place() (micros int64, id string, err error) {
	if c == "" {
		return 0, "", nil
	}
	const digits, most = 11, 128 // Eleven digits to the base of 36 fit 63 bits.
	when, id, ok := strings.Cut(string(c), ".")
	ok = ok && id != "" && len(id) <= most && len(strings.TrimPrefix(when, "-")) <= digits && !strings.HasPrefix(when, "+") && when == strings.ToLower(when)
	for _, b := range []byte(id) {
		ok = ok && (b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-')
	}
	micros, err = strconv.ParseInt(when, 36, 64)
	if err != nil || !ok {
		return 0, "", fault.Invalid("", "cursor", "the cursor is not one that promptd gave", "send next_cursor unchanged, or none to begin")
	}
	return micros, id, nil
}

// Group is a column that sums can be grouped by.
type Group string

// The groups.
const (
	ByKey      Group = "key"
	ByTeam     Group = "team"
	ByProvider Group = "provider"
	ByModel    Group = "model"
	BySchema   Group = "schema"
	ByDay      Group = "day"
)

// Groups lists every group in the order of the reference.
func Groups() []Group { return []Group{ByKey, ByTeam, ByProvider, ByModel, BySchema, ByDay} }

// ParseGroups reads names such as "key,model,day"; an empty text is no group.
func ParseGroups(text string) ([]Group, error) {
	if text == "" {
		return nil, nil
	}
	var list []Group
	seen := map[Group]bool{}
	for name := range strings.SplitSeq(text, ",") {
		g := Group(strings.TrimSpace(name))
		if !g.known() || seen[g] {
			return nil, fault.Invalid("", "enum", "group_by takes each of key, team, provider, model, schema, day at most once", "for example group_by=key,model,day")
		}
		seen[g] = true
		list = append(list, g)
	}
	return list, nil
}

func (g Group) known() bool {
	return slices.Contains(Groups(), g)
}

// Query chooses sums. Sums are kept by the hour (UTC): From is rounded down to an hour and To up.
type Query struct {
	From, To time.Time
	GroupBy  []Group
}

// Row is one group's sums. The fields that were not grouped by are empty.
type Row struct {
	Key      key.ID
	Team     key.TeamID
	Provider string
	Model    string
	Schema   string
	// Day is a date such as 2026-11-24, in UTC.
	Day string
	Sums
}

// Sums are what requests did and cost. Cost counts what is known; UnpricedRequests says how many requests it leaves out a part of.
type Sums struct {
	Requests         int64
	Passed           int64
	Cached           int64
	Coalesced        int64
	Tokens           Tokens
	Cost             key.Nanos
	UnpricedRequests int64
}

// Report is the answer to a query.
type Report struct {
	Rows  []Row
	Total Sums
}

// Add adds other sums.
func (s *Sums) Add(o Sums) {
	s.Requests += o.Requests
	s.Passed += o.Passed
	s.Cached += o.Cached
	s.Coalesced += o.Coalesced
	s.Tokens.Input += o.Tokens.Input
	s.Tokens.Output += o.Tokens.Output
	s.Tokens.CachedInput += o.Tokens.CachedInput
	s.Cost += o.Cost
	s.UnpricedRequests += o.UnpricedRequests
}
