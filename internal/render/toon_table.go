package render

import "github.com/promptd/promptd/internal/value"

// toonField is a column of a table: a leaf, or a group of columns where every object has an object at that name.
type toonField struct {
	name  string
	group []toonField
}

// keyedTable gives the fields of an object's members where they are two or more uniform objects.
func keyedTable(v value.Value) ([]toonField, bool) {
	if v.Len() < 2 {
		return nil, false
	}
	return uniform(items(v))
}

// items gives the items of an array or the member values of an object.
func items(v value.Value) []value.Value {
	if v.At(0).Kind() != value.KindObject {
		return nil // No table in any case.
	}
	out := make([]value.Value, v.Len())
	for i := range out {
		out[i] = v.At(i)
	}
	return out
}

// uniform gives the fields of objects that all have the same names, where every column is of primitives alone or of uniform
// objects alone. The order is that of the first object.
func uniform(objects []value.Value) ([]toonField, bool) {
	if len(objects) == 0 {
		return nil, false
	}
	first := objects[0]
	for _, o := range objects {
		if o.Kind() != value.KindObject || o.Len() == 0 || o.Len() != first.Len() {
			return nil, false
		}
		for i := range o.Len() {
			if o.At(i).Kind() == value.KindArray {
				return nil, false
			}
		}
	}
	fields := make([]toonField, first.Len())
	column := make([]value.Value, len(objects))
	for i := range fields {
		name := first.NameAt(i)
		fields[i].name = name
		nested := first.At(i).Kind() == value.KindObject
		for j, o := range objects {
			cell, ok := lookup(o, name, i)
			if !ok || (cell.Kind() == value.KindObject) != nested {
				return nil, false
			}
			column[j] = cell
		}
		if nested {
			group, ok := uniform(column)
			if !ok {
				return nil, false
			}
			fields[i].group = group
		}
	}
	return fields, true
}

// lookup gives a member by its name, looking first where the first object has it.
func lookup(o value.Value, name string, at int) (value.Value, bool) {
	if at < o.Len() && o.NameAt(at) == name {
		return o.At(at), true
	}
	return o.Get(name)
}

func member(o value.Value, name string, at int) value.Value {
	v, _ := lookup(o, name, at)
	return v
}

// isPrimitives says that an array holds no collection.
func isPrimitives(v value.Value) bool {
	for i := range v.Len() {
		if k := v.At(i).Kind(); k == value.KindArray || k == value.KindObject {
			return false
		}
	}
	return true
}
