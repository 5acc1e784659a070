// Package value holds JSON as one ordered value with exact numbers, from the decoder to the renderer.
//
// Maps of any lose the order of keys and floats lose digits, so nothing in promptd passes JSON around in any other form. The main
// type is [Value]: null, boolean, number (its text is kept), string, array or object (members in their order, names unique). A Value
// is immutable: every function that changes something gives a new one, and unchanged parts are shared.
//
// [Decode] reads strictly (RFC 8259 with RFC 7493's demands: unique names, valid UTF-8, no lone surrogates, nothing behind the value);
// tolerant reading is package repair's. [Value.Append] writes compactly in the value's own order, [Value.AppendCanonical] writes with sorted
// names for hashing. Numbers compare by their mathematical value through [Decimal], never through a float.
package value

import "iter"

// Kind tells the six kinds of JSON value apart.
type Kind uint8

// The kinds. The zero Value is null.
const (
	KindNull Kind = iota
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String gives the kind's name as JSON Schema's type keyword spells it.
func (k Kind) String() string {
	switch k {
	case KindBool:
		return "boolean"
	case KindNumber:
		return "number"
	case KindString:
		return "string"
	case KindArray:
		return "array"
	case KindObject:
		return "object"
	default:
		return "null"
	}
}

// Value is one JSON value. The zero Value is null. Values are safe for concurrent use.
//
// It has 32 bytes in three fields, the most that the compiler keeps in registers: with the members' slice held directly every call copied 48
// bytes through memory, which cost judging a value more than half of its time.
type Value struct {
	text    string    // a number's text or a string's contents
	members *[]Member // of an object; of an array, with empty names; nil where there are none
	meta
}

type meta struct {
	offset int32 // 1 + the byte offset of the value's first byte in the text it came from; 0 is unknown
	kind   Kind
	truth  bool
}

// list gives an array's items or an object's members.
func (v Value) list() []Member {
	if v.members == nil {
		return nil
	}
	return *v.members
}

// Member is a name and its value.
type Member struct {
	Name  string
	Value Value
}

// Null gives null.
func Null() Value { return Value{} }

// Bool gives a boolean.
func Bool(b bool) Value { return Value{meta: meta{kind: KindBool, truth: b}} }

// String gives a string. The text must be valid UTF-8; what comes from outside is checked by whoever reads it.
func String(s string) Value { return Value{meta: meta{kind: KindString}, text: s} }

// Array gives an array of the items in order.
func Array(items ...Value) Value {
	members := make([]Member, len(items))
	for i, item := range items {
		members[i].Value = item
	}
	return Value{members: &members, meta: meta{kind: KindArray}}
}

// Object gives an object of the members in order. The names must be unique and the slice is kept: it must not be changed afterwards.
func Object(members ...Member) Value { return Value{members: &members, meta: meta{kind: KindObject}} }

// Kind tells what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Truth gives a boolean's truth; false for anything else.
func (v Value) Truth() bool { return v.truth }

// Text gives a string's contents or a number's text as written; empty for anything else.
func (v Value) Text() string { return v.text }

// Len gives the number of items of an array or members of an object; 0 for anything else.
func (v Value) Len() int { return len(v.list()) }

// At gives an array's item or an object's member value by its place, which must be below Len.
func (v Value) At(i int) Value { return (*v.members)[i].Value }

// NameAt gives an object's member name by its place, which must be below Len; for arrays it is empty.
func (v Value) NameAt(i int) string { return (*v.members)[i].Name }

// Get gives the member of that name of an object.
func (v Value) Get(name string) (Value, bool) {
	if v.kind == KindObject {
		for i := range v.list() {
			if v.list()[i].Name == name {
				return v.list()[i].Value, true
			}
		}
	}
	return Value{}, false
}

// Items yields an array's items with their places.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.kind != KindArray {
			return
		}
		for i := range v.list() {
			if !yield(i, v.list()[i].Value) {
				return
			}
		}
	}
}

// Members yields an object's members in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != KindObject {
			return
		}
		for i := range v.list() {
			if !yield(v.list()[i].Name, v.list()[i].Value) {
				return
			}
		}
	}
}

// With gives an object with the member set: in its place where the name exists, else at the end.
func (v Value) With(name string, item Value) Value {
	members := make([]Member, len(v.list()), len(v.list())+1)
	copy(members, v.list())
	for i := range members {
		if members[i].Name == name {
			members[i].Value = item
			return Value{members: &members, meta: meta{kind: KindObject, offset: v.offset}}
		}
	}
	members = append(members, Member{name, item})
	return Value{members: &members, meta: meta{kind: KindObject, offset: v.offset}}
}

// Without gives an object without the member of that name.
func (v Value) Without(name string) Value {
	members := make([]Member, 0, len(v.list()))
	for _, m := range v.list() {
		if m.Name != name {
			members = append(members, m)
		}
	}
	return Value{members: &members, meta: meta{kind: KindObject, offset: v.offset}}
}

// WithAt gives an array or object with the value at that place exchanged.
func (v Value) WithAt(i int, item Value) Value {
	members := make([]Member, len(v.list()))
	copy(members, v.list())
	members[i].Value = item
	return Value{members: &members, meta: meta{kind: v.kind, offset: v.offset}}
}

// Offset gives the byte offset of the value in the text it was read from; ok is false for values that were made.
func (v Value) Offset() (offset int, ok bool) { return int(v.offset) - 1, v.offset > 0 }

// Located gives the value with that byte offset.
func (v Value) Located(offset int) Value {
	v.offset = int32(offset) + 1 //nolint:gosec // Texts are bounded far below 2 GiB by their readers.
	return v
}
