package schema

import (
	"context"
	"iter"

	"github.com/promptd/promptd/internal/value"
)

// Place is one subschema of a compiled schema, read by the meaning of its draft: what judges is what lowering and explaining see. Places compare with
// ==; the zero Place is none.
type Place struct {
	s *Schema
	n *node
}

// Root gives the place of the whole schema.
func (s *Schema) Root() Place { return Place{s, s.root} }

// Order gives the subschemas' pointers in the order in which they stand in the caller's schema.
func (s *Schema) Order() []string { return s.root.resource.doc.order }

// Pointer is the place's JSON pointer in its document.
func (p Place) Pointer() string { return p.n.pointer }

// Own reports whether the place lies in the caller's schema, and not in a remote one.
func (p Place) Own() bool { return p.n.resource.doc.main }

// Raw gives the subschema as it was written.
func (p Place) Raw() value.Value { return p.n.raw }

// Draft gives the draft that the place is read by.
func (p Place) Draft() Draft { return p.n.resource.draft }

// Never reports whether the place is the schema false.
func (p Place) Never() bool { return p.n.never }

// Allows reports whether the keyword type allows a kind; integers says that of numbers it allows those without a fraction alone.
func (p Place) Allows(k value.Kind) (allowed, integers bool) {
	if p.n.kinds&kindOf(k) != 0 {
		return true, false
	}
	integers = k == value.KindNumber && p.n.kinds&anyInteger != 0
	return integers, integers
}

// Get gives a keyword's value where it judges or says something in the place's draft: beside $ref nothing does before 2019-09, but for promptd's
// own keywords.
func (p Place) Get(keyword string) (value.Value, bool) {
	v, ok := p.n.raw.Get(keyword)
	if !ok {
		return v, false
	}
	if keyword == keywordRules || keyword == keywordExtractive {
		return v, true
	}
	info, known := keywordOf(keyword)
	if !known || !info.in(p.Draft()) {
		return v, false
	}
	if _, ref := p.n.raw.Get("$ref"); ref && keyword != "$ref" && !p.Draft().atLeast(Draft201909) {
		return v, false
	}
	if voc := p.n.resource.vocabulary; !voc.validation && isAssertion(keyword) {
		return v, false
	}
	return v, true
}

// isAssertion tells the keywords of the validation vocabulary.
func isAssertion(keyword string) bool {
	switch keyword {
	case "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
		"minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties", "required", "dependentRequired":
		return true
	default:
		return false
	}
}

// Format gives the format that is asserted; it is empty where none is.
func (p Place) Format() string { return p.n.format }

// Conjuncts gives what judges the same value in any case: the target of $ref, the parts of allOf.
func (p Place) Conjuncts() []Place { return p.all(p.n.refs) }

func (p Place) all(nodes []*node) []Place {
	list := make([]Place, len(nodes))
	for i, n := range nodes {
		list[i] = Place{p.s, n}
	}
	return list
}

// Unresolved reports whether a dynamic reference judges the same value, whose target depends on the way that leads to it.
func (p Place) Unresolved() bool { return p.n.dynamic }

// Choice is an anyOf or oneOf.
type Choice struct {
	Branches []Place
	// One is set for oneOf: exactly one branch may hold.
	One bool
}

// Choices gives the alternatives for the same value.
func (p Place) Choices() []Choice {
	var list []Choice
	for _, c := range p.n.choices {
		list = append(list, Choice{p.all(c.branches), c.one})
	}
	return list
}

// Conditionals gives what may judge the same value: then, else and the schemas of dependent members.
func (p Place) Conditionals() []Place {
	var list []Place
	for _, k := range p.n.every {
		if k, ok := k.(*ifKeyword); ok {
			for _, n := range [...]*node{k.then, k.otherwise} {
				if n != nil {
					list = append(list, Place{p.s, n})
				}
			}
		}
	}
	for _, k := range p.n.of[value.KindObject] {
		if k, ok := k.(*dependentKeyword); ok {
			for _, d := range k.list {
				if d.sub != nil {
					list = append(list, Place{p.s, d.sub})
				}
			}
		}
	}
	return list
}

// Demanded walks the names that conditions on members are about, other than through then and else: what a member depends on or brings with it, and what an if
// asks for.
func (p Place) Demanded() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, k := range p.n.of[value.KindObject] {
			k, ok := k.(*dependentKeyword)
			if !ok {
				continue
			}
			for _, d := range k.list {
				if !yield(d.name) {
					return
				}
				for _, name := range d.required {
					if !yield(name) {
						return
					}
				}
			}
		}
		for _, k := range p.n.every {
			k, ok := k.(*ifKeyword)
			if !ok || k.cond.object == nil {
				continue
			}
			for _, m := range k.cond.object.properties {
				if !yield(m.name) {
					return
				}
			}
		}
	}
}

// Properties walks the members that properties names.
func (p Place) Properties() iter.Seq2[string, Place] {
	return func(yield func(string, Place) bool) {
		if p.n.object == nil {
			return
		}
		for _, m := range p.n.object.properties[:p.n.object.named] {
			if !yield(m.name, Place{p.s, m.sub}) {
				return
			}
		}
	}
}

// Required walks the names of required members.
func (p Place) Required() iter.Seq[string] {
	return func(yield func(string) bool) {
		if p.n.object == nil {
			return
		}
		for _, m := range p.n.object.properties {
			if m.required && !yield(m.name) {
				return
			}
		}
	}
}

// Member gives what the place says of the member of a name: all the subschemas that judge it.
func (p Place) Member(name string) (list []Place) {
	k := p.n.object
	if k == nil {
		return nil
	}
	for _, m := range k.properties[:k.named] {
		if m.name == name {
			list = append(list, Place{p.s, m.sub})
		}
	}
	t := p.s.trial(context.Background(), judgeSteps)
	defer p.s.release(t)
	for _, pattern := range k.patterns {
		if t.matches(pattern.pattern, name) || t.stopped {
			list = append(list, Place{p.s, pattern.sub})
		}
	}
	if len(list) == 0 && k.additional != nil {
		list = append(list, Place{p.s, k.additional})
	}
	return list
}

// Patterns walks the regular expressions of patternProperties with the subschemas of members whose name matches.
func (p Place) Patterns() iter.Seq2[string, Place] {
	return func(yield func(string, Place) bool) {
		if p.n.object == nil {
			return
		}
		for _, m := range p.n.object.patterns {
			if !yield(m.pattern.source, Place{p.s, m.sub}) {
				return
			}
		}
	}
}

// Additional gives the subschema of members that neither properties nor patterns name; ok is false where nothing is said of them.
func (p Place) Additional() (sub Place, ok bool) {
	if p.n.object == nil || p.n.object.additional == nil {
		return Place{}, false
	}
	return Place{p.s, p.n.object.additional}, true
}

// Names gives the subschema that judges the names of members.
func (p Place) Names() (sub Place, ok bool) {
	if p.n.object == nil || p.n.object.names == nil {
		return Place{}, false
	}
	return Place{p.s, p.n.object.names}, true
}

// UnevaluatedMembers gives the subschema of members that no other keyword judges.
func (p Place) UnevaluatedMembers() (sub Place, ok bool) { return p.unevaluated(1) }

// UnevaluatedItems gives the subschema of items that no other keyword judges.
func (p Place) UnevaluatedItems() (sub Place, ok bool) { return p.unevaluated(0) }

func (p Place) unevaluated(i int) (Place, bool) {
	k, ok := p.n.last[i].(*unevaluatedKeyword)
	if !ok {
		return Place{}, false
	}
	return Place{p.s, k.sub}, true
}

// Items gives the subschemas of an array's first items and that of the others; ok is false where nothing is said of the others.
func (p Place) Items() (first []Place, rest Place, ok bool) {
	k := p.n.array
	if k == nil {
		return nil, Place{}, false
	}
	if k.rest != nil {
		rest, ok = Place{p.s, k.rest}, true
	}
	return p.all(k.prefix), rest, ok
}

// Accepts judges a value by the subschema alone, within the budget of a judgement. False is also the answer where the budget did not reach.
func (p Place) Accepts(ctx context.Context, v value.Value) bool {
	valid, judged := p.judge(ctx, v)
	return valid && judged
}

// Refuses reports whether a value is known to break the subschema: judged to the end, within the budget, and not valid.
func (p Place) Refuses(ctx context.Context, v value.Value) bool {
	valid, judged := p.judge(ctx, v)
	return !valid && judged
}

func (p Place) judge(ctx context.Context, v value.Value) (valid, judged bool) {
	t := p.s.trial(ctx, judgeSteps)
	defer p.s.release(t)
	if p.s.scoped {
		t.scope = append(t.scope, p.s.root.resource)
	}
	valid = t.run(p.n, v, nil)
	return valid, !t.stopped
}
