package lowering

import (
	"github.com/promptd/promptd/internal/value"
)

func refTo(name string) value.Value {
	return value.Object(value.Member{Name: "$ref", Value: value.String("#/$defs/" + name)})
}

// commonKind gives the type that all values share.
func commonKind(values []value.Value) (kind string, ok bool) {
	for i, v := range values {
		k := v.Kind().String()
		if v.Kind() == value.KindNumber && v.Decimal().IsInteger() {
			k = "integer"
		}
		switch {
		case i == 0 || kind == k:
			kind = k
		case kind == "integer" && k == "number" || kind == "number" && k == "integer":
			kind = "number"
		default:
			return "", false
		}
	}
	return kind, len(values) > 0
}

func typed(kind string) value.Value {
	return value.Object(value.Member{Name: "type", Value: value.String(kind)})
}

func typeValue(kinds []string) value.Value {
	if len(kinds) == 1 {
		return value.String(kinds[0])
	}
	items := make([]value.Value, len(kinds))
	for i, k := range kinds {
		items[i] = value.String(k)
	}
	return value.Array(items...)
}

func appended(array value.Value, item value.Value) value.Value {
	return value.Array(append(itemsOf(array), item)...)
}

func itemsOf(array value.Value) []value.Value {
	items := make([]value.Value, 0, array.Len()+1)
	for _, v := range array.Items() {
		items = append(items, v)
	}
	return items
}

// withDescription sets a description behind the type, where ours always stands.
func withDescription(s value.Value, text string) value.Value {
	if text == "" {
		return s
	}
	if _, ok := s.Get("description"); ok {
		return s.With("description", value.String(text))
	}
	members := make([]value.Member, 0, s.Len()+1)
	description := value.Member{Name: "description", Value: value.String(text)}
	if first, ok := s.Get("type"); ok {
		members = append(members, value.Member{Name: "type", Value: first}, description)
	} else {
		members = append(members, description)
	}
	for name, item := range s.Members() {
		if name != "type" {
			members = append(members, value.Member{Name: name, Value: item})
		}
	}
	return value.Object(members...)
}

// closedObject is a lowered object: every property is required and there are no others.
func closedObject(properties []value.Member, description string) value.Value {
	names := make([]value.Value, len(properties))
	for i, p := range properties {
		names[i] = value.String(p.Name)
	}
	return withDescription(value.Object(
		value.Member{Name: "type", Value: value.String("object")},
		value.Member{Name: "properties", Value: value.Object(properties...)},
		value.Member{Name: "required", Value: value.Array(names...)},
		value.Member{Name: "additionalProperties", Value: value.Bool(false)},
	), description)
}
