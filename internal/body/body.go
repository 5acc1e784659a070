// Package body reads the JSON body of a request strictly: each field by its name, type and range, and nothing that nobody asked for.
//
// It is for bodies that people write by hand or in code; documents with a schema of their own are package schema's. A [Reader] collects every fault of
// a body with its JSON pointer, so that the caller mends them in one go: [Reader.Done] names the unknown fields and gives the one error.
package body

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// maxEntries bounds the faults that one answer lists.
const maxEntries = 20

// Decode reads strict JSON; the error is an INVALID_REQUEST fault with the place.
func Decode(raw []byte) (value.Value, error) {
	v, err := value.Decode(raw, value.Limits{Depth: 128, Nodes: 200_000})
	if err == nil {
		return v, nil
	}
	var syntax *value.SyntaxError
	if !errors.As(err, &syntax) {
		return value.Value{}, fault.New(fault.InvalidRequest, "the body is not JSON").Because(err)
	}
	if len(raw) == 0 {
		return value.Value{}, fault.Invalid("", string(syntax.Rule), "the body is empty", "Send a JSON object, for example {\"prompt\": \"…\"}.")
	}
	return value.Value{}, fault.Invalid(syntax.Pointer, string(syntax.Rule), fmt.Sprintf("the body is not strict JSON: %s (byte %d)", syntax.Message, syntax.Offset),
		"Send one JSON object in UTF-8 with unique names and nothing behind it.")
}

// Reader reads the fields of one object. Readers of nested objects share the faults of the outermost.
type Reader struct {
	object  value.Value
	pointer string
	known   []string
	room    [16]string // that known begins in: most objects have fewer fields
	faults  *[]fault.Entry
	nested  []*Reader
}

// Open begins reading an object.
func Open(v value.Value) *Reader {
	r := &Reader{object: v, faults: new([]fault.Entry)}
	if v.Kind() != value.KindObject {
		r.fault("", "type", "the body is "+article(v.Kind())+"; it must be an object", "Send a JSON object.")
	}
	return r
}

func article(k value.Kind) string {
	switch k {
	case value.KindArray, value.KindObject:
		return "an " + k.String()
	case value.KindNull:
		return "null"
	default:
		return "a " + k.String()
	}
}

func (r *Reader) fault(pointer, rule, message, hint string) {
	*r.faults = append(*r.faults, fault.Entry{Pointer: pointer, Rule: rule, Message: message, Hint: hint})
}

// Fault adds a fault at a field of this object.
func (r *Reader) Fault(field, rule, message, hint string) {
	r.fault(value.AppendPointer(r.pointer, field), rule, message, hint)
}

// Pointer gives the JSON pointer of a field of this object.
func (r *Reader) Pointer(field string) string { return value.AppendPointer(r.pointer, field) }

// Value gives a field's value as it is.
func (r *Reader) Value(field string) (value.Value, bool) {
	r.know(field)
	return r.object.Get(field)
}

// know notes a field that has a meaning here; a field may be read more than once.
func (r *Reader) know(field string) {
	if r.known == nil {
		r.known = r.room[:0]
	}
	if !slices.Contains(r.known, field) {
		r.known = append(r.known, field)
	}
}

func (r *Reader) typed(field string, kind value.Kind) (value.Value, bool) {
	v, ok := r.Value(field)
	if ok && v.Kind() != kind {
		r.Fault(field, "type", fmt.Sprintf("%s is %s; it must be %s", field, article(v.Kind()), article(kind)), "")
		return v, false
	}
	return v, ok
}

// String reads an optional string.
func (r *Reader) String(field, otherwise string) string {
	if v, ok := r.typed(field, value.KindString); ok {
		return v.Text()
	}
	return otherwise
}

// Nullable reads an optional string that may be null, which means the same as absent.
func (r *Reader) Nullable(field string) string {
	if v, ok := r.object.Get(field); ok && v.IsNull() {
		r.know(field)
		return ""
	}
	return r.String(field, "")
}

// Enum reads an optional string that must be one of those allowed.
func (r *Reader) Enum(field, otherwise string, allowed ...string) string {
	v, ok := r.typed(field, value.KindString)
	if !ok {
		return otherwise
	}
	if !slices.Contains(allowed, v.Text()) {
		r.Fault(field, "enum", field+" has a value that it does not take", "Use one of: "+strings.Join(allowed, ", ")+".")
		return otherwise
	}
	return v.Text()
}

// Bool reads an optional boolean.
func (r *Reader) Bool(field string, otherwise bool) bool {
	if v, ok := r.typed(field, value.KindBool); ok {
		return v.Truth()
	}
	return otherwise
}

// Int reads an optional integer within a range.
func (r *Reader) Int(field string, otherwise, least, most int64) int64 {
	v, ok := r.typed(field, value.KindNumber)
	if !ok {
		return otherwise
	}
	n, ok := v.Decimal().Int64()
	if !ok || n < least || n > most {
		r.Fault(field, "range", fmt.Sprintf("%s must be an integer from %d to %d", field, least, most), "")
		return otherwise
	}
	return n
}

// Float reads an optional number within a range.
func (r *Reader) Float(field string, otherwise, least, most float64) float64 {
	v, ok := r.typed(field, value.KindNumber)
	if !ok {
		return otherwise
	}
	f, err := strconv.ParseFloat(v.Text(), 64)
	if err != nil || f < least || f > most {
		r.Fault(field, "range", fmt.Sprintf("%s must be a number from %s to %s", field, short(least), short(most)), "")
		return otherwise
	}
	return f
}

func short(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Strings reads an optional array of strings.
func (r *Reader) Strings(field string) []string {
	v, ok := r.typed(field, value.KindArray)
	if !ok {
		return nil
	}
	texts := make([]string, 0, v.Len())
	for i, item := range v.Items() {
		if item.Kind() != value.KindString {
			r.fault(value.AppendIndex(r.Pointer(field), i), "type", fmt.Sprintf("an item of %s is %s; it must be a string", field, article(item.Kind())), "")
			continue
		}
		texts = append(texts, item.Text())
	}
	return texts
}

// Object reads an optional object; without one the Reader is empty and reads defaults.
func (r *Reader) Object(field string) *Reader {
	v, ok := r.typed(field, value.KindObject)
	if !ok {
		v = value.Object()
	}
	nested := &Reader{object: v, pointer: r.Pointer(field), faults: r.faults}
	r.nested = append(r.nested, nested)
	return nested
}

// Objects reads an optional array of objects.
func (r *Reader) Objects(field string) []*Reader {
	v, ok := r.typed(field, value.KindArray)
	if !ok {
		return nil
	}
	var items []*Reader
	for i, item := range v.Items() {
		at := value.AppendIndex(r.Pointer(field), i)
		if item.Kind() != value.KindObject {
			r.fault(at, "type", fmt.Sprintf("an item of %s is %s; it must be an object", field, article(item.Kind())), "")
			continue
		}
		items = append(items, &Reader{object: item, pointer: at, faults: r.faults})
	}
	r.nested = append(r.nested, items...)
	return items
}

// Done names the unknown fields and gives every fault found as one INVALID_REQUEST, or nil.
func (r *Reader) Done() error {
	r.unknown()
	return r.Noted()
}

// Noted is Done without a look at unknown fields, for a body whose parts are read one by one later.
func (r *Reader) Noted() error {
	entries := *r.faults
	if len(entries) == 0 {
		return nil
	}
	detail := entries[0].Message
	if n := len(entries) - 1; n > 0 {
		detail = fmt.Sprintf("%s, and %d more", detail, n)
	}
	if len(entries) > maxEntries {
		entries = entries[:maxEntries]
	}
	return &fault.Fault{Code: fault.InvalidRequest, Detail: detail, Entries: entries}
}

func (r *Reader) unknown() {
	for name := range r.object.Members() {
		if slices.Contains(r.known, name) {
			continue
		}
		hint := "Known fields: " + strings.Join(r.known, ", ") + "."
		if near := nearest(name, r.known); near != "" {
			hint = "Did you mean " + near + "?"
		}
		at := value.AppendPointer(r.pointer, clip(name))
		r.fault(at, "unknown_field", "there is no field "+strconv.Quote(clip(name))+" here", hint)
		if len(*r.faults) > maxEntries {
			return
		}
	}
	for _, nested := range r.nested {
		nested.unknown()
	}
}

// clip keeps the names that a caller invents out of answers at any length.
func clip(name string) string {
	const most = 64
	for i := range name {
		if i > most {
			return name[:i] + "…"
		}
	}
	return name
}

// nearest gives the known name that differs in at most two letters.
func nearest(name string, known []string) string {
	best, least := "", 3
	if len(name) > 40 {
		return ""
	}
	for _, k := range known {
		if d := distance(name, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
