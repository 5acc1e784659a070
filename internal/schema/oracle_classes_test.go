package schema

import (
	"context"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// disagreement is a value that library and evaluator judge differently.
type disagreement struct {
	s                *Schema
	draft            Draft
	schema, instance value.Value
	ours, theirs     bool
	lib              *oracle
	options          Options
}

// knownClass is a class of disagreements that a paragraph of the specification decides for us. A case of it is proved: what makes it one is taken away, and the
// two then agree.
type knownClass struct {
	paragraph string
	holds     func(ctx context.Context, d *disagreement) bool
}

func knownClasses() []knownClass {
	return []knownClass{{
		// 1.0 is no integer, also inside not. The library goes by value, as newer drafts do.
		`draft 4, core, section 3.5: an integer is "a JSON number without a fraction or exponent part"`,
		func(ctx context.Context, d *disagreement) bool {
			if d.draft != Draft4 && !strings.Contains(d.schema.String(), "draft-04") {
				return false
			}
			ours, _ := byValue(d.schema, d.options).Accept(ctx, d.instance)
			return ours.OK() == d.theirs
		},
	}, {
		// A name is an instance of its own, so that a reference from propertyNames to a schema that is at work on the object is no endless recursion. The library
		// takes the name for the object's place and calls it one.
		`2020-12, core, section 10.3.2.4: propertyNames is about "every property name in the instance"; section 9.4.1 forbids endless recursion "against an instance"`,
		func(ctx context.Context, d *disagreement) bool {
			plain, found := withoutNames(d.schema)
			if !found {
				return false
			}
			s, err := Compile(plain, d.options)
			lib, libErr := newOracle(plain, d.options)
			if err != nil || libErr != nil {
				return false
			}
			ours, _ := s.Accept(ctx, d.instance)
			return ours.OK() == lib.valid(d.instance)
		},
	}}
}

// class gives the paragraph of the known class that a disagreement belongs to; it is empty where there is none.
func (d *disagreement) class(ctx context.Context) string {
	for _, c := range knownClasses() {
		if c.holds(ctx, d) {
			return c.paragraph
		}
	}
	return ""
}

// withoutNames leaves out every propertyNames that refers to something; found says that there was one.
func withoutNames(v value.Value) (out value.Value, found bool) {
	if names, ok := v.Get("propertyNames"); ok && strings.Contains(names.String(), `ef":"`) {
		v, found = v.Without("propertyNames"), true
	}
	for i := range v.Len() {
		item, inside := withoutNames(v.At(i))
		if inside {
			v, found = v.WithAt(i, item), true
		}
	}
	return v, found
}

// byValue compiles a schema again and lets its integers be integers by value.
func byValue(schema value.Value, o Options) *Schema {
	s, err := Compile(schema, o)
	if err != nil {
		return nil
	}
	seen := map[*node]bool{}
	var walk func(list ...*node)
	walk = func(list ...*node) {
		for _, n := range list {
			if n == nil || seen[n] {
				continue
			}
			seen[n] = true
			n.strict = false
			walk(n.inPlace...)
			if n.object != nil {
				for i := range n.object.properties {
					walk(n.object.properties[i].sub)
				}
				for i := range n.object.patterns {
					walk(n.object.patterns[i].sub)
				}
				walk(n.object.additional, n.object.names)
			}
			if n.array != nil {
				walk(n.array.prefix...)
				walk(n.array.rest, n.array.contains)
			}
		}
	}
	walk(s.root)
	return s
}
