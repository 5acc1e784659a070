package lint

import (
	"encoding/hex"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Value gives the report as it is answered: by the command as by the endpoint.
func (r *Report) Value() value.Value {
	hash := r.Schema.Hash()
	members := []value.Member{
		{Name: "valid", Value: value.Bool(true)},
		{Name: "draft", Value: value.String(r.Schema.Draft().String())},
		{Name: "hash", Value: value.String(hex.EncodeToString(hash[:]))},
		{Name: "advice", Value: list(r.Advice, adviceValue)},
	}
	if r.More > 0 {
		members = append(members, value.Member{Name: "more_advice", Value: value.Int(int64(r.More))})
	}
	var dialects []value.Member
	for i := range r.Dialects {
		dialects = append(dialects, value.Member{Name: r.Dialects[i].Name, Value: r.Dialects[i].value()})
	}
	return value.Object(append(members, value.Member{Name: "dialects", Value: value.Object(dialects...)})...)
}

func adviceValue(a Advice) value.Value {
	members := []value.Member{text("pointer", a.Pointer), text("rule", a.Rule), text("message", a.Message)}
	if a.Hint != "" {
		members = append(members, text("hint", a.Hint))
	}
	return value.Object(members...)
}

func (d *Dialect) value() value.Value {
	return value.Object(
		text("mode", string(d.Mode)),
		value.Member{Name: "constraints", Value: value.Int(int64(d.Constraints))},
		value.Member{Name: "enforced", Value: value.Int(int64(d.Enforced))},
		value.Member{Name: "misfits", Value: list(d.Misfits, func(m lowering.Refusal) value.Value {
			return value.Object(text("mode", string(m.Mode)), text("reason", m.Reason))
		})},
		value.Member{Name: "sizes", Value: list(d.Sizes, sizeValue)},
		value.Member{Name: "lowered", Value: d.Schema},
		value.Member{Name: "residue", Value: list(d.Residue, func(r lowering.Residue) value.Value {
			return value.Object(text("pointer", r.Pointer), text("keyword", r.Keyword), value.Member{Name: "value", Value: r.Value})
		})},
		value.Member{Name: "narrowed", Value: list(d.Narrowed, narrowedValue)},
		value.Member{Name: "json_texts", Value: list(d.Texts, value.String)},
	)
}

// sizeValue has null for a limit that is not known.
func sizeValue(s lowering.Size) value.Value {
	limit := value.Null()
	if s.Limit > 0 {
		limit = value.Int(int64(s.Limit))
	}
	return value.Object(text("name", s.Name), value.Member{Name: "have", Value: value.Int(int64(s.Have))}, value.Member{Name: "limit", Value: limit})
}

func narrowedValue(n lowering.Narrowing) value.Value {
	members := []value.Member{text("pointer", n.Pointer), text("keyword", n.Keyword)}
	if len(n.Kinds) > 0 {
		members = append(members, value.Member{Name: "kinds", Value: list(n.Kinds, value.String)})
	}
	return value.Object(members...)
}

func text(name, s string) value.Member { return value.Member{Name: name, Value: value.String(s)} }

func list[T any](items []T, one func(T) value.Value) value.Value {
	values := make([]value.Value, len(items))
	for i, item := range items {
		values[i] = one(item)
	}
	return value.Array(values...)
}
