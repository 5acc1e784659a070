package schema

import (
	"time"

	"github.com/promptd/promptd/internal/value"
)

// A value of a rule is one of: nil (null), bool, string, exact, list, record, time.Time, time.Duration and *regex. There is no float among them: nothing can
// turn 0.1 into what a double makes of it.

// array is an array of the data, or one that the rule made.
type array struct {
	data value.Value
	made []any
}

func (l *array) len() int { return l.data.Len() + len(l.made) }

func (l *array) at(i int) any {
	if l.data.Kind() == value.KindArray {
		return ofData(l.data.At(i))
	}
	return l.made[i]
}

// record is an object of the data, or a map that the rule made.
type record struct {
	data value.Value
	made []rulePair
}

type rulePair struct{ key, value any }

func (m record) len() int { return m.data.Len() + len(m.made) }

func (m record) at(i int) (key, item any) {
	if m.data.Kind() == value.KindObject {
		return m.data.NameAt(i), ofData(m.data.At(i))
	}
	return m.made[i].key, m.made[i].value
}

// numberPrice is what reading a number from the data costs beyond a step.
const numberPrice = 1

func ofData(v value.Value) any {
	switch v.Kind() {
	case value.KindBool:
		return v.Truth()
	case value.KindNumber:
		return exactOf(v)
	case value.KindString:
		return v.Text()
	case value.KindArray:
		return &array{data: v}
	case value.KindObject:
		return record{data: v}
	default:
		return nil
	}
}

// kindName names a value's type in messages.
func kindName(x any) string {
	switch x.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case exact:
		return "a number"
	case *array:
		return "an array"
	case record:
		return "an object"
	case time.Time:
		return "a timestamp"
	case time.Duration:
		return "a duration"
	default:
		return "a value"
	}
}

// get finds a record's value; the work of looking is paid for.
func (e *evaluation) get(m record, key any) (item any, ok bool, err error) {
	name, isName := key.(string)
	if m.data.Kind() == value.KindObject {
		if err := e.spend(1 + m.data.Len()>>3); err != nil || !isName {
			return nil, false, err
		}
		v, ok := m.data.Get(name)
		return ofData(v), ok, nil
	}
	for i := range m.made {
		if same, err := e.equal(m.made[i].key, key); same || err != nil {
			return m.made[i].value, same, err
		}
	}
	return nil, false, nil
}

// equal compares by meaning: numbers by their value, arrays by their items in order, objects by their members in any order. Values of different types differ.
func (e *evaluation) equal(a, b any) (bool, error) {
	if err := e.spend(1); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case exact:
		b, ok := b.(exact)
		if !ok {
			return false, nil
		}
		return a.cmp(b) == 0, e.spend(numberPrice + apart(a, b))
	case string:
		b, ok := b.(string)
		return ok && a == b, e.spend(min(len(a), len(b)) >> 6)
	case *array:
		b, ok := b.(*array)
		if !ok || a.len() != b.len() {
			return false, nil
		}
		for i := range a.len() {
			if same, err := e.equal(a.at(i), b.at(i)); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case record:
		b, ok := b.(record)
		if !ok || a.len() != b.len() {
			return false, nil
		}
		for i := range a.len() {
			key, x := a.at(i)
			y, there, err := e.get(b, key)
			if err != nil || !there {
				return false, err
			}
			if same, err := e.equal(x, y); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b), nil
	case nil, bool, time.Duration:
		return a == b, nil
	default:
		return false, nil
	}
}

// order compares two values of one type that has an order.
func (e *evaluation) order(a, b any) (int, error) {
	switch a := a.(type) {
	case exact:
		if b, ok := b.(exact); ok {
			return a.cmp(b), e.spend(apart(a, b))
		}
	case string:
		if b, ok := b.(string); ok {
			order := 0
			switch {
			case a < b:
				order = -1
			case a > b:
				order = 1
			}
			return order, e.spend(min(len(a), len(b)) >> 6)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b), nil
		}
	case time.Duration:
		if b, ok := b.(time.Duration); ok {
			switch {
			case a < b:
				return -1, nil
			case a > b:
				return 1, nil
			}
			return 0, nil
		}
	}
	return 0, mismatch("compared with", a, b)
}

func mismatch(what string, a, b any) *ruleFault {
	return &ruleFault{kindName(a) + " is " + what + " " + kindName(b), "Give values of the types that the rule compares or computes with."}
}

// apart is what an operation on two numbers costs beyond a step: they are brought to one exponent.
func apart(a, b exact) int {
	gap := a.e - b.e
	if gap < 0 {
		gap = -gap
	}
	return a.words() + b.words() + gap>>4
}
