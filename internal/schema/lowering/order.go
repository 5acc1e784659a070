package lowering

import "github.com/promptd/promptd/internal/value"

// Rule R15: members come out in the order of the caller's properties, then in the answer's. In forms that do not change the shape this is all that
// raising does.

// orderOf gives a codec that puts members in the caller's order; nil where the schema names none. References are followed, alternatives are not
// told apart: their properties follow each other.
func orderOf(schema value.Value) node {
	o := orderer{root: schema, targets: map[string]*definition{}}
	return o.node(schema, nil)
}

type orderer struct {
	root    value.Value
	targets map[string]*definition
}

// node compiles one place. Targets that are being read in place already are left out: a loop of references names no members.
func (o *orderer) node(s value.Value, reading []string) node {
	var p places
	o.gather(s, &p, reading)
	switch {
	case len(p.members) > 0:
		return &either{object: newObject(p.members), list: p.list}
	case p.list != nil:
		return p.list
	default:
		return nil
	}
}

// places is what the schemas of one place say of its members and items.
type places struct {
	members []member
	list    *list
}

func (o *orderer) gather(s value.Value, p *places, reading []string) {
	if s.Kind() != value.KindObject || len(reading) > 32 {
		return
	}
	if props, ok := s.Get("properties"); ok {
		for name, sub := range props.Members() {
			if !p.has(name) {
				p.members = append(p.members, member{name: name, node: o.below(sub)})
			}
		}
	}
	o.items(s, p)
	if ref, ok := s.Get("$ref"); ok {
		o.follow(ref.Text(), p, reading)
	}
	for _, name := range [...]string{"allOf", "anyOf", "oneOf"} {
		branches, _ := s.Get(name)
		for _, b := range branches.Items() {
			o.gather(b, p, reading)
		}
	}
	for _, name := range [...]string{"then", "else"} {
		if branch, ok := s.Get(name); ok {
			o.gather(branch, p, reading)
		}
	}
}

func (p *places) has(name string) bool {
	for i := range p.members {
		if p.members[i].name == name {
			return true
		}
	}
	return false
}

func (o *orderer) items(s value.Value, p *places) {
	if p.list != nil {
		return
	}
	var l list
	rest, _ := s.Get("items")
	first, tuple := s.Get("prefixItems")
	if rest.Kind() == value.KindArray {
		first, tuple = rest, true
		rest, _ = s.Get("additionalItems")
	}
	useful := false
	for _, sub := range first.Items() {
		n := o.below(sub)
		l.first = append(l.first, n)
		useful = useful || n != nil
	}
	l.item = o.below(rest)
	if useful || l.item != nil || tuple && len(l.first) > 0 && useful {
		p.list = &l
	}
}

// below compiles a place inside the value, where a new chain of references begins.
func (o *orderer) below(s value.Value) node {
	if ref, ok := s.Get("$ref"); ok && s.Len() == 1 {
		if d := o.target(ref.Text()); d != nil {
			return &refNode{target: d}
		}
		return nil
	}
	return o.node(s, nil)
}

// target gives the codec of a reference's target, made once.
func (o *orderer) target(ref string) *definition {
	pointer, ok := localPointer(o.root, ref)
	if !ok {
		return nil
	}
	if d, ok := o.targets[pointer]; ok {
		return d
	}
	found, ok := o.root.Lookup(pointer)
	if !ok {
		return nil
	}
	d := &definition{pointer: pointer}
	o.targets[pointer] = d
	d.node = o.node(found, []string{pointer})
	if r, ok := d.node.(*refNode); ok && r.target == d {
		d.node = nil
	}
	return d
}

// follow gathers what a reference's target says of the same place.
func (o *orderer) follow(ref string, p *places, reading []string) {
	pointer, ok := localPointer(o.root, ref)
	if !ok {
		return
	}
	for _, r := range reading {
		if r == pointer {
			return
		}
	}
	if found, ok := o.root.Lookup(pointer); ok {
		o.gather(found, p, append(reading[:len(reading):len(reading)], pointer))
	}
}

// either is the codec of a place where objects and arrays may stand.
type either struct {
	object *object
	list   *list
}

func (e *either) translate(d direction, v value.Value) (value.Value, bool, error) {
	if v.Kind() == value.KindArray && e.list != nil {
		return e.list.translate(d, v)
	}
	return e.object.translate(d, v)
}

func (e *either) plain(seen map[node]bool) bool {
	return e.object.plain(seen) && (e.list == nil || e.list.plain(seen))
}
