package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
)

// query reads query parameters as strictly as package body reads bodies: by name, once each, and nothing that nobody asked for.
type query struct {
	values url.Values
	known  []string
	faults []fault.Entry
}

func (c *call) query() *query {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fault("", "format", "the query is not well-formed", "Percent-encode what is not a letter, digit or one of -._~.")
	}
	return q
}

func (q *query) fault(name, rule, message, hint string) {
	if name != "" {
		message = "query parameter " + name + ": " + message
	}
	q.faults = append(q.faults, fault.Entry{Rule: rule, Message: message, Hint: hint})
}

// mostParameter bounds a parameter's text, in characters.
const mostParameter = 512

// text reads an optional parameter; given tells an empty one from none.
func (q *query) text(name string) (value string, given bool) {
	q.known = append(q.known, name)
	list, ok := q.values[name]
	if !ok {
		return "", false
	}
	if len(list) > 1 {
		q.fault(name, "once", "it is given more than once", "Give it once.")
	}
	if utf8.RuneCountInString(list[0]) > mostParameter || strings.ContainsFunc(list[0], func(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.RuneError }) {
		q.fault(name, "format", "it is too long or holds characters that no value has", "")
		return "", true
	}
	return list[0], true
}

// number reads an optional integer within a range.
func (q *query) number(name string, otherwise, least, most int) int {
	text, given := q.text(name)
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		q.fault(name, "range", "it must be an integer from "+strconv.Itoa(least)+" to "+strconv.Itoa(most), "")
		return otherwise
	}
	return n
}

// flag reads an optional boolean.
func (q *query) flag(name string) bool {
	text, given := q.text(name)
	switch {
	case !given, text == "false":
		return false
	case text == "true":
		return true
	default:
		q.fault(name, "type", "it must be true or false", "")
		return false
	}
}

// enum reads an optional parameter that must be one of those allowed.
func (q *query) enum(name string, allowed ...string) string {
	text, given := q.text(name)
	if given && !slices.Contains(allowed, text) {
		q.fault(name, "enum", "it has a value that it does not take", "Use one of: "+strings.Join(allowed, ", ")+".")
		return ""
	}
	return text
}

// time reads an optional RFC 3339 time or date. Times that no request can have had are brought to the nearest that can be counted in nanoseconds.
func (q *query) time(name string) time.Time {
	text, given := q.text(name)
	if !given {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		t, err := time.Parse(layout, strings.ToUpper(text))
		switch {
		case err != nil:
		case t.Year() < 1970:
			return time.Unix(0, 0).UTC()
		case t.Year() > 2261:
			return time.Date(2261, time.December, 31, 23, 0, 0, 0, time.UTC)
		default:
			return t.UTC()
		}
	}
	q.fault(name, "format", "it must be a date or a time as RFC 3339 writes them", "For example 2026-11-24 or 2026-11-24T08:00:00Z.")
	return time.Time{}
}

// done names unknown parameters and gives every fault as one, or nil.
func (q *query) done() error {
	var unknown []string
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		const most = 64
		q.fault("", "unknown_parameter", "there is no query parameter "+strconv.QuoteToASCII(name[:min(len(name), most)])+" here", q.hint())
	}
	if len(q.faults) == 0 {
		return nil
	}
	const most = 20
	return &fault.Fault{Code: fault.InvalidRequest, Detail: q.faults[0].Message, Entries: q.faults[:min(len(q.faults), most)]}
}

func (q *query) hint() string {
	if len(q.known) == 0 {
		return "This path takes no query parameters."
	}
	return "Known parameters: " + strings.Join(q.known, ", ") + "."
}
