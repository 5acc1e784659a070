package lowering

import "github.com/promptd/promptd/internal/schema"

// Refusal is why a mode does not take a schema.
type Refusal struct {
	Mode   Mode
	Reason string
}

// Explainer lowers one schema to many profiles: what all of them share is worked out once. It is not safe for concurrent use.
type Explainer struct {
	schema *schema.Schema
	norm   *normalizer
	root   *typ
}

// Explain prepares a schema. What is lowered serves every request, so its source is none of it.
func Explain(s *schema.Schema) *Explainer { return &Explainer{schema: s.Sourceless()} }

// Unsatisfiable reports whether surely no value satisfies the schema. It may be false all the same: then nothing was seen.
func (e *Explainer) Unsatisfiable() bool {
	e.normalize()
	return e.root.refuses()
}

func (e *Explainer) normalize() {
	if e.norm == nil {
		e.norm = newNormalizer()
		e.root = e.norm.typeOf(e.schema.Root())
	}
}

// Lower fits the schema to the strongest form of the profile that it fits, as the function Lower does, and says why stronger modes that enforce do not take the schema, from the strongest on.
func (e *Explainer) Lower(p Profile) (Lowered, []Refusal) {
	var why []Refusal
	for _, f := range p.forms() {
		if !f.fit.sends() {
			return unenforced(e.schema.Value(), f), why
		}
		if f.fit == asGuide {
			return guiding(e.schema.Value(), f), why
		}
		e.normalize()
		l, err := lowerTo(e.schema, e.norm, e.root, f)
		if err == nil {
			return l, why
		}
		why = append(why, Refusal{f.mode, err.Error()})
	}
	return unenforced(e.schema.Value(), form{mode: Prompt, fit: inPrompt}), why
}
