package lowering

import (
	"slices"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// Small models run away: they write one string, or one list, until their budget ends. Caps bound what may be generated, beside the schema, and only
// where the schema itself says nothing.

// withCaps gives a lowered schema with its caps.
func withCaps(s value.Value, c Caps) value.Value {
	return rewrite(s, func(node value.Value) value.Value {
		if c.Members {
			node = withoutFurther(node)
		}
		kinds, ok := typesOf(node)
		if !ok {
			return node
		}
		for _, name := range [...]string{"enum", "const", "$ref"} {
			if _, ok := node.Get(name); ok {
				return node
			}
		}
		for _, k := range kinds {
			switch {
			case k == "string" && c.StringLength > 0 && !hasAny(node, "maxLength", "pattern") && (c.Formats || !hasAny(node, "format")) &&
				atMost(node, "minLength", c.StringLength):
				node = node.With("maxLength", value.Int(int64(c.StringLength)))
			case k == "array" && c.Items > 0 && !hasAny(node, "maxItems") && atMost(node, "minItems", c.Items):
				node = node.With("maxItems", value.Int(int64(c.Items)))
			case k == "object" && c.Properties > 0 && len(kinds) == 1 && isDictionary(node) && atMost(node, "minProperties", c.Properties):
				node = node.With("maxProperties", value.Int(int64(c.Properties)))
			}
		}
		return node
	})
}

// isDictionary reports whether an object's members are all of one kind, and as many as the model likes.
func isDictionary(node value.Value) bool {
	further, ok := node.Get("additionalProperties")
	return ok && (further.Kind() != value.KindBool || further.Truth()) && !hasAny(node, "properties", "patternProperties", "maxProperties")
}

// withoutFurther closes an object that says nothing of further members: under a grammar a small model fills the room with invented ones, and repeats them.
func withoutFurther(node value.Value) value.Value {
	properties, ok := node.Get("properties")
	if !ok || properties.Len() == 0 || hasAny(node, "additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties") {
		return node
	}
	required, _ := node.Get("required")
	for _, name := range required.Items() {
		if _, named := properties.Get(name.Text()); !named {
			return node // It would be shut out.
		}
	}
	return node.With("additionalProperties", value.Bool(false))
}

func hasAny(node value.Value, names ...string) bool {
	for _, name := range names {
		if _, ok := node.Get(name); ok {
			return true
		}
	}
	return false
}

// atMost reports whether a lower bound leaves room below a cap.
func atMost(node value.Value, keyword string, most int) bool {
	bound, ok := node.Get(keyword)
	return !ok || bound.Decimal().Compare(value.Int(int64(most)).Decimal()) <= 0
}

// Hit reports whether an answer, in the provider's shape, reaches a generation cap: it may then have been cut, and is asked again without caps.
func (l Lowered) Hit(v value.Value) bool {
	if l.Caps == (Caps{}) {
		return false
	}
	return l.Caps.hit(v)
}

func (c Caps) hit(v value.Value) bool {
	if v.Kind() == value.KindString {
		return c.StringLength > 0 && len(v.Text()) >= c.StringLength && utf8.RuneCountInString(v.Text()) >= c.StringLength
	}
	if v.Kind() == value.KindArray && c.Items > 0 && v.Len() >= c.Items || v.Kind() == value.KindObject && c.Properties > 0 && v.Len() >= c.Properties {
		return true
	}
	for i := range v.Len() {
		if c.hit(v.At(i)) {
			return true
		}
	}
	return false
}

// typesOf reads the keyword type.
func typesOf(s value.Value) (kinds []string, ok bool) {
	t, ok := s.Get("type")
	if !ok {
		return nil, false
	}
	if t.Kind() == value.KindString {
		return []string{t.Text()}, kindsOf(t.Text()) != 0
	}
	for _, item := range t.Items() {
		if kindsOf(item.Text()) == 0 {
			return nil, false
		}
		if !slices.Contains(kinds, item.Text()) {
			kinds = append(kinds, item.Text())
		}
	}
	return kinds, len(kinds) > 0
}
