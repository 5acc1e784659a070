package lowering

import "github.com/promptd/promptd/internal/value"

// check refuses a lowered schema that is beyond the subset's limits. Limits that a provider counts per definition are counted over all: being under
// them is then sure.
func (f *subset) check(s value.Value) error {
	t := tally{limits: f}
	t.count(s, 0)
	switch {
	case f.depth > 0 && t.depth > f.depth:
		return &misfit{"", "too many levels"}
	case f.properties > 0 && t.properties > f.properties:
		return &misfit{"", "too many properties"}
	case f.characters > 0 && t.characters > f.characters:
		return &misfit{"", "too many characters in names and values"}
	case f.enumValues > 0 && t.enumValues > f.enumValues:
		return &misfit{"", "too many enum values"}
	case t.bigEnum:
		return &misfit{"", "an enum with too much text"}
	}
	return nil
}

// tally counts what providers limit.
type tally struct {
	limits                                    *subset
	depth, properties, characters, enumValues int
	bigEnum                                   bool
}

func (t *tally) count(s value.Value, depth int) {
	if kind, ok := s.Get("type"); ok && kind.Text() == "object" {
		depth++
		t.depth = max(t.depth, depth)
	}
	for name, item := range s.Members() {
		switch name {
		case "properties":
			t.properties += item.Len()
			for key, sub := range item.Members() {
				t.characters += len(key)
				t.count(sub, depth)
			}
		case "$defs":
			for key, sub := range item.Members() {
				t.characters += len(key)
				t.count(sub, 0)
			}
		case "items":
			t.count(item, depth)
		case "anyOf":
			for _, sub := range item.Items() {
				t.count(sub, depth)
			}
		case "enum":
			t.list(item)
		case "const":
			t.characters += len(item.Text())
		}
	}
}

func (t *tally) list(values value.Value) {
	text := 0
	for _, v := range values.Items() {
		text += len(v.Text())
	}
	t.enumValues += values.Len()
	t.characters += text
	if t.limits.bigEnum > 0 && values.Len() > t.limits.bigEnum && text > t.limits.bigEnumCharacters {
		t.bigEnum = true
	}
}
