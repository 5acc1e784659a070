package lint

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// maxNames bounds the required names of one place that are looked up.
const maxNames = 200

// requiredUnknown finds required members that nothing describes.
func (l *linter) requiredUnknown() {
	for v := range l.own {
		n := 0
		for name := range v.Required() {
			if n++; n > maxNames {
				break
			}
			if !v.group.describes(name) {
				l.say(value.AppendPointer(v.Pointer(), "required"), short(value.String(name)))
			}
		}
	}
}

// enumType finds listed values of a type that is not allowed.
func (l *linter) enumType() {
	for v := range l.own {
		if _, typed := v.Get("type"); !typed {
			continue
		}
		if c, ok := v.Get("const"); ok && !allows(v, c) {
			l.say(value.AppendPointer(v.Pointer(), "const"), short(c))
		}
		list, _ := v.Get("enum")
		for i, item := range list.Items() {
			if !allows(v, item) {
				l.say(value.AppendIndex(value.AppendPointer(v.Pointer(), "enum"), i), short(item))
			}
		}
	}
}

// allows reports whether the keyword type allows a value.
func allows(v *visit, x value.Value) bool {
	allowed, integers := v.Allows(x.Kind())
	return allowed && (!integers || x.Decimal().IsInteger())
}

// openObjects finds objects that leave open whether there are further members.
func (l *linter) openObjects() {
	first, n := "", 0
	for v := range l.own {
		if _, ok := v.Get("properties"); !ok || !v.entry || v.group.has("additionalProperties", "unevaluatedProperties") {
			continue
		}
		if allowed, _ := v.Allows(value.KindObject); !allowed {
			continue
		}
		if n++; n == 1 {
			first = v.Pointer()
		}
	}
	if n > 0 {
		l.say(first, count(n, "object with properties is", "objects with properties, of which this is the first, are"))
	}
}

// implied gives the type that a keyword is about.
func implied(keyword string) (kind string, ok bool) {
	switch keyword {
	case "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired":
		return "object", true
	case "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains":
		return "array", true
	case "minLength", "maxLength", "pattern", "format":
		return "string", true
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return "number", true
	default:
		return "", false
	}
}

// typeMissing finds places whose keywords are about a type that is not said.
func (l *linter) typeMissing() {
	for v := range l.own {
		if !v.entry {
			continue
		}
		for name := range v.Raw().Members() {
			kind, ok := implied(name)
			if _, judges := v.Get(name); !ok || !judges {
				continue
			}
			if !v.group.has("type", "enum", "const") {
				l.say(v.Pointer(), name, strconv.Quote(kind))
			}
			break
		}
	}
}

// unbounded finds strings and arrays of any length.
func (l *linter) unbounded() {
	strings, arrays, first := 0, 0, ""
	for v := range l.own {
		if _, typed := v.Get("type"); !typed || v.group.has("enum", "const") {
			continue
		}
		before := strings + arrays
		if allowed, _ := v.Allows(value.KindString); allowed && !v.group.has("maxLength", "pattern", "format") {
			strings++
		}
		if allowed, _ := v.Allows(value.KindArray); allowed && !v.group.has("maxItems") && !fixed(v) {
			arrays++
		}
		if before == 0 && strings+arrays > 0 {
			first = v.Pointer()
		}
	}
	switch {
	case strings > 0 && arrays > 0:
		l.say(first, fmt.Sprintf("%s and %s", count(strings, "string", "strings"), count(arrays, "array", "arrays")))
	case strings > 0:
		l.say(first, count(strings, "string", "strings"))
	case arrays > 0:
		l.say(first, count(arrays, "array", "arrays"))
	}
}

// fixed reports whether a tuple allows no further items.
func fixed(v *visit) bool {
	first, rest, ok := v.Items()
	return len(first) > 0 && ok && rest.Never()
}

// maxLevels is how many objects may stand within one another before it is worth a word.
const maxLevels = 6

// deepNesting finds schemas of many levels.
func (l *linter) deepNesting() {
	if n := l.nesting(l.schema.Root()); n > maxLevels {
		l.say("", strconv.Itoa(n))
	}
}

// noDescription counts the properties that say nothing to a model.
func (l *linter) noDescription() {
	total, silent, first := 0, 0, ""
	for v := range l.own {
		if !v.property {
			continue
		}
		total++
		if v.group.has("description", "title", "const") {
			continue
		}
		if silent++; silent == 1 {
			first = v.Pointer()
		}
	}
	switch {
	case silent == 0:
	case silent == total:
		l.say(first, "no property has a description")
	default:
		l.say(first, fmt.Sprintf("%d of %d properties have no description", silent, total))
	}
}

// unusedDefinitions finds what no reference leads to, from the root or from what it leads to.
func (l *linter) unusedDefinitions() {
	for _, d := range findUnused(l.schema) {
		tokens, _ := value.Tokens(d)
		l.say(d, short(value.String(tokens[len(tokens)-1])))
	}
}

// formatType finds formats where no string can stand.
func (l *linter) formatType() {
	for v := range l.own {
		allowed, _ := v.Allows(value.KindString)
		if f, ok := v.Get("format"); ok && v.Format() != "" && !allowed {
			l.say(value.AppendPointer(v.Pointer(), "format"), short(f))
		}
	}
}

// boundsContradict finds pairs of bounds that exclude each other.
func (l *linter) unsatisfiable() {
	if lowering.Explain(l.schema).Unsatisfiable() {
		l.say("")
	}
}

func (l *linter) boundsContradict() {
	for v := range l.own {
		for _, pair := range [...][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}, {"minContains", "maxContains"}} {
			low, okLow := v.Get(pair[0])
			high, okHigh := v.Get(pair[1])
			if okLow && okHigh && low.Decimal().Compare(high.Decimal()) > 0 {
				l.say(v.Pointer(), fmt.Sprintf("%s %s and %s %s", pair[0], short(low), pair[1], short(high)))
			}
		}
		low, high := numberBounds(v)
		for _, a := range low {
			if i := slices.IndexFunc(high, a.excludes); i >= 0 {
				l.say(v.Pointer(), a.String()+" and "+high[i].String())
				break
			}
		}
	}
}

// numberBound is a bound of numbers.
type numberBound struct {
	keyword string
	at      value.Value
	open    bool // the value itself is excluded
}

func (b numberBound) String() string { return b.keyword + " " + short(b.at) }

// excludes reports whether nothing lies between a lower bound and an upper one.
func (b numberBound) excludes(upper numberBound) bool {
	c := b.at.Decimal().Compare(upper.at.Decimal())
	return c > 0 || c == 0 && (b.open || upper.open)
}

// numberBounds gives a place's lower and upper bounds, as its draft means them.
func numberBounds(v *visit) (low, high []numberBound) {
	for _, side := range [...]struct {
		plain, exclusive string
		to               *[]numberBound
	}{{"minimum", "exclusiveMinimum", &low}, {"maximum", "exclusiveMaximum", &high}} {
		bound, has := v.Get(side.plain)
		exclusive, hasExclusive := v.Get(side.exclusive)
		if has && bound.Kind() == value.KindNumber {
			*side.to = append(*side.to, numberBound{side.plain, bound, exclusive.Kind() == value.KindBool && exclusive.Truth()})
		}
		if hasExclusive && exclusive.Kind() == value.KindNumber {
			*side.to = append(*side.to, numberBound{side.exclusive, exclusive, true})
		}
	}
	return low, high
}
