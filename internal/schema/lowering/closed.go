package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// lowerClosed lowers to a subset in which every object is closed and every property required. What the subset cannot say of a value's shape makes the
// schema a misfit; what it cannot say of its contents is residue.
func lowerClosed(schema value.Value, f form) (Lowered, error) {
	c := closer{subset: f.subset, root: schema, defs: map[string]*definition{}, names: map[string]bool{}, nulls: map[string]bool{}, comparison: comparison{maxCompared}}
	lowered, err := c.document()
	if err != nil {
		return Lowered{}, err
	}
	if err := f.subset.check(lowered.schema); err != nil {
		return Lowered{}, err
	}
	return Lowered{
		Schema: lowered.schema, capped: lowered.schema, Mode: f.mode, Residue: c.residue, Narrowed: c.narrowed,
		codec: codec{root: lowered.node},
	}, nil
}

// closer lowers one schema.
type closer struct {
	subset  subset
	root    value.Value
	base    string // the pointer of what the root refers to, if it does nothing else
	wrapped bool

	defs     map[string]*definition // by pointer
	order    []*definition
	names    map[string]bool
	inPlace  []string // references that were followed without stepping into the value
	unions   []*union
	residue  []Residue
	narrowed []string
	nulls    map[string]bool // which targets accept null
	comparison
}

// piece is a lowered place.
type piece struct {
	schema value.Value
	node   node
	shape  *shape
}

// document lowers the root: expanded where it is a bare reference, wrapped where it is no object (rule R4), with the definitions it needs.
func (c *closer) document() (piece, error) {
	s, err := c.expandRoot()
	if err != nil {
		return piece{}, err
	}
	kind, _ := s.Get("type")
	c.wrapped = kind.Text() != "object"
	p, err := c.place(s, c.base)
	if err != nil {
		return piece{}, err
	}
	if got, _ := p.schema.Get("type"); !c.wrapped && got.Text() != "object" {
		return piece{}, &misfit{c.base, "a root that is no object"}
	}
	for _, u := range c.unions {
		if u.ambiguous(&c.comparison) {
			return piece{}, &misfit{c.base, "alternatives that cannot be told apart in the provider's shape"}
		}
	}
	if c.wrapped {
		p.schema = closedObject([]value.Member{{Name: rootName, Value: p.schema}}, "")
		p.node = &rootWrap{inner: p.node}
	}
	if len(c.order) > 0 {
		members := make([]value.Member, len(c.order))
		for i, d := range c.order {
			members[i] = value.Member{Name: d.name, Value: d.schema}
		}
		p.schema = p.schema.With("$defs", value.Object(members...))
	}
	return p, nil
}

// expandRoot follows a root that is nothing but a reference.
func (c *closer) expandRoot() (value.Value, error) {
	s, seen := c.root, map[string]bool{"": true}
	for {
		ref, ok := s.Get("$ref")
		if !ok || !c.bareReference(s) {
			return s, nil
		}
		at, ok := localPointer(c.root, ref.Text())
		if !ok || seen[at] {
			return s, &misfit{c.base, "a reference that leads nowhere"}
		}
		if s, ok = c.root.Lookup(at); !ok {
			return s, &misfit{c.base, "a reference that leads nowhere"}
		}
		seen[at], c.base = true, at
	}
}

// bareReference reports whether nothing beside a reference matters.
func (c *closer) bareReference(s value.Value) bool {
	if c.oldDraft() {
		return true // before 2019-09 nothing counts beside a reference
	}
	for name := range s.Members() {
		switch roleOf(name) {
		case unknown, annotation, identifier, container, reference:
		default:
			return false
		}
	}
	return true
}

func (c *closer) misfit(at, reason string) error { return &misfit{at, reason} }

// place lowers the schema at a pointer.
func (c *closer) place(s value.Value, at string) (piece, error) {
	if s.Kind() != value.KindObject {
		return piece{}, c.misfit(at, "a boolean schema")
	}
	for _, name := range [...]string{"$id", "id"} {
		if id, ok := s.Get(name); ok && at != "" && id.Kind() == value.KindString && id.Text() != "" && id.Text()[0] != '#' {
			return piece{}, c.misfit(at, "a schema with a base of its own")
		}
	}
	if _, ok := s.Get("$ref"); ok {
		return c.reference(s, at)
	}
	for name := range s.Members() {
		if slices.Contains([]string{"$dynamicRef", "$recursiveRef", "not", "if", "then", "else"}, name) {
			return piece{}, c.misfit(at, "the keyword "+name)
		}
	}
	if all, ok := s.Get("allOf"); ok {
		if all.Len() != 1 || !onlyAnnotated(s, "allOf") {
			return piece{}, c.misfit(at, "the keyword allOf")
		}
		return c.described(s, at, func() (piece, error) { return c.place(all.At(0), at+"/allOf/0") })
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		if branches, ok := s.Get(name); ok {
			return c.union(s, at, name, branches)
		}
	}
	return c.byType(s, at)
}

// onlyAnnotated reports whether a schema asserts nothing but by one keyword.
func onlyAnnotated(s value.Value, keyword string) bool {
	for name := range s.Members() {
		switch roleOf(name) {
		case unknown, annotation, identifier, container:
		default:
			if name != keyword {
				return false
			}
		}
	}
	return true
}

// described lowers by f and puts the description of s over what comes out.
func (c *closer) described(s value.Value, at string, f func() (piece, error)) (piece, error) {
	p, err := f()
	if text := describe(s, nil); err == nil && text != "" {
		if _, isRef := p.schema.Get("$ref"); isRef {
			p.schema = value.Object(value.Member{Name: "anyOf", Value: value.Array(p.schema)})
		}
		p.schema = withDescription(p.schema, text)
	}
	return p, err
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

// reference lowers a $ref (rule R8). Assertions beside it become residue where they say nothing of the shape.
func (c *closer) reference(s value.Value, at string) (piece, error) {
	var left []Residue
	for name, item := range s.Members() {
		if c.oldDraft() {
			break // before 2019-09 nothing counts beside a reference
		}
		switch roleOf(name) {
		case unknown, annotation, identifier, container:
		case reference:
			if name != "$ref" {
				return piece{}, c.misfit(at, "the keyword "+name)
			}
		case numeric, textual, counting:
			left = append(left, Residue{Pointer: at, Keyword: name, Value: item})
		default:
			return piece{}, c.misfit(at, "the keyword "+name+" beside a reference")
		}
	}
	ref, _ := s.Get("$ref")
	pointer, ok := localPointer(c.root, ref.Text())
	if !ok {
		return piece{}, c.misfit(at, "a reference to another document")
	}
	p, err := c.target(pointer, at)
	if err != nil {
		return piece{}, err
	}
	c.residue = append(c.residue, left...)
	if text := describe(s, left); text != "" {
		p.schema = value.Object(value.Member{Name: "description", Value: value.String(text)},
			value.Member{Name: "anyOf", Value: value.Array(p.schema)})
	}
	return p, nil
}

// oldDraft reports whether the schema says that it is of a draft before 2019-09.
func (c *closer) oldDraft() bool { return oldDraft(c.root) }

// target gives the lowered form of a reference to a pointer, and lowers its definition the first time.
func (c *closer) target(pointer, at string) (piece, error) {
	if slices.Contains(c.inPlace, pointer) {
		return piece{}, c.misfit(at, "a reference to itself")
	}
	if pointer == "" {
		pointer = c.base
	}
	d, ok := c.defs[pointer]
	if !ok {
		found, exists := c.root.Lookup(pointer)
		if !exists {
			return piece{}, c.misfit(at, "a reference that leads nowhere")
		}
		d = &definition{pointer: pointer}
		c.defs[pointer] = d
		if pointer != c.base || c.wrapped {
			d.name = definitionName(pointer, c.names)
			c.order = append(c.order, d)
		}
		c.inPlace = append(c.inPlace, pointer)
		p, err := c.place(found, pointer)
		if err != nil {
			return piece{}, err
		}
		c.inPlace = c.inPlace[:len(c.inPlace)-1]
		d.schema, d.node, d.shape = p.schema, p.node, p.shape
	}
	schema := value.Object(value.Member{Name: "$ref", Value: value.String("#")})
	if d.name != "" {
		schema = refTo(d.name)
	}
	return piece{schema: schema, node: &refNode{target: d}, shape: &shape{target: d}}, nil
}

// inside runs f one step deeper in the value, where a reference may come again.
func (c *closer) inside(f func() (piece, error)) (piece, error) {
	outer := c.inPlace
	c.inPlace = nil
	p, err := f()
	c.inPlace = outer
	return p, err
}
