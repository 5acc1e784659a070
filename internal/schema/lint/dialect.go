package lint

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is what one dialect makes of a schema.
type Dialect struct {
	Name string
	lowering.Lowered
	// Misfits say why stronger modes do not take the schema, from the strongest on.
	Misfits []lowering.Refusal
	// Sizes measure what is sent; there are none where nothing is.
	Sizes []lowering.Size
	// Constraints counts what the schema demands of values, keyword by keyword; Enforced counts those that the provider holds a model to.
	Constraints, Enforced int
}

// near is the share of a limit, in tenths, from which a size is worth a word.
const near = 8

// Near gives the sizes that come near to their limit.
func (d *Dialect) Near() []lowering.Size {
	var list []lowering.Size
	for _, s := range d.Sizes {
		if s.Limit > 0 && s.Have*10 >= s.Limit*near {
			list = append(list, s)
		}
	}
	return list
}

func dialectOf(e *lowering.Explainer, p Profile, constraints map[constraint]bool) Dialect {
	d := Dialect{Name: p.Name}
	d.Lowered, d.Misfits = e.Lower(p.Profile)
	d.Sizes = p.Profile.Sizes(d.Lowered)
	d.count(constraints, p.Profile.Enforces(d.Mode))
	return d
}

// constraint is one keyword at one place.
type constraint struct{ pointer, keyword string }

// constraintsOf gives what the schema demands of values: the keywords that judge by themselves, at each place that can judge a part of a value.
func constraintsOf(s *schema.Schema) map[constraint]bool {
	all := map[constraint]bool{}
	for _, v := range walk(s).visits {
		if !v.Own() {
			continue
		}
		for name := range v.Raw().Members() {
			if _, judges := v.Get(name); judges && demands(name) || name == "x-rules" || name == "x-extractive" {
				all[constraint{v.Pointer(), name}] = true
			}
		}
	}
	return all
}

// demands tells the keywords that judge by themselves from those that say where others judge.
func demands(keyword string) bool {
	switch keyword {
	case "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format",
		"minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties", "required", "dependentRequired",
		"dependentSchemas", "dependencies", "additionalProperties", "patternProperties", "propertyNames", "oneOf", "anyOf", "not", "if", "then", "else",
		"additionalItems", "prefixItems", "unevaluatedItems", "unevaluatedProperties":
		return true
	default:
		return false
	}
}

// count tells the constraints that hold while the model writes from those that promptd alone judges.
func (d *Dialect) count(constraints map[constraint]bool, enforces bool) {
	left := map[constraint]bool{}
	for _, r := range d.Residue {
		left[constraint{r.Pointer, r.Keyword}] = true
	}
	for c := range constraints {
		if !left[c] && slices.ContainsFunc(d.Texts, func(at string) bool { return c.pointer == at || strings.HasPrefix(c.pointer, at+"/") }) {
			left[c] = true
		}
	}
	d.Constraints = len(constraints)
	for c := range left {
		if !constraints[c] { // The residue names a place that the walk does not reach, or a keyword that stands for others.
			d.Constraints++
		}
	}
	if enforces {
		d.Enforced = d.Constraints - len(left)
	}
}
