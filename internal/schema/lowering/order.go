package lowering

import "github.com/promptd/promptd/internal/value"

// Rule R15: members come out in the order of the caller's properties, then in the answer's. In forms that do not change the shape this is all that
// raising does.

// orderOf gives a codec that puts members in the caller's order; nil where the schema names none. References are followed, alternatives are not
// told apart: their properties follow each other.
func orderOf(schema value.Value) node {
	o := orderer{root: schema, made: map[string]*definition{}, budget: maxGathered}
	return o.below(schema, "")
}

// maxGathered bounds the work: where every place follows many references, the places behind them keep the answer's order.
const maxGathered = 200_000

// orderer compiles every place of a schema once, by its pointer: schemas refer to themselves in many ways, and the same alternatives over and over.
type orderer struct {
	root   value.Value
	made   map[string]*definition
	budget int
}

// places is what the schemas of one place say of its members and items.
type places struct {
	members []member
	named   map[string]bool
	list    *list
	seen    map[string]bool // pointers of what was gathered
}

// below compiles a place inside the value; nil where nothing is to be ordered.
func (o *orderer) below(s value.Value, at string) node {
	for range maxChain {
		ref, ok := s.Get("$ref")
		if !ok || s.Len() != 1 {
			break
		}
		pointer, ok := localPointer(o.root, ref.Text())
		if !ok {
			return nil
		}
		if s, ok = o.root.Lookup(pointer); !ok {
			return nil
		}
		at = pointer
	}
	if d, ok := o.made[at]; ok {
		if d.done && d.node == nil {
			return nil
		}
		return &refNode{target: d} // It may be in the making.
	}
	d := &definition{pointer: at}
	o.made[at] = d
	p := places{named: map[string]bool{}, seen: map[string]bool{}}
	o.gather(s, at, &p)
	switch {
	case len(p.members) > 0:
		d.node = &either{object: newObject(p.members), list: p.list}
	case p.list != nil:
		d.node = p.list
	}
	d.done = true
	return d.node
}

// maxChain is the longest chain of references that is followed.
const maxChain = 32

// gather reads the schema at a pointer and those that judge the same place.
func (o *orderer) gather(s value.Value, at string, p *places) {
	if o.budget--; s.Kind() != value.KindObject || p.seen[at] || o.budget < 0 {
		return
	}
	p.seen[at] = true
	if props, ok := s.Get("properties"); ok {
		for name, sub := range props.Members() {
			if o.budget--; !p.named[name] && o.budget >= 0 {
				p.named[name] = true
				p.members = append(p.members, member{name: name, node: o.below(sub, value.AppendPointer(at+"/properties", name))})
			}
		}
	}
	o.items(s, at, p)
	if ref, ok := s.Get("$ref"); ok {
		if pointer, ok := localPointer(o.root, ref.Text()); ok {
			if found, ok := o.root.Lookup(pointer); ok {
				o.gather(found, pointer, p)
			}
		}
	}
	for _, name := range [...]string{"allOf", "anyOf", "oneOf"} {
		branches, _ := s.Get(name)
		for i, b := range branches.Items() {
			o.gather(b, value.AppendIndex(at+"/"+name, i), p)
		}
	}
	for _, name := range [...]string{"then", "else"} {
		if branch, ok := s.Get(name); ok {
			o.gather(branch, at+"/"+name, p)
		}
	}
}

func (o *orderer) items(s value.Value, at string, p *places) {
	if p.list != nil {
		return
	}
	rest, _ := s.Get("items")
	restAt, firstAt := at+"/items", at+"/prefixItems"
	first, _ := s.Get("prefixItems")
	if rest.Kind() == value.KindArray {
		first, firstAt = rest, restAt
		rest, _ = s.Get("additionalItems")
		restAt = at + "/additionalItems"
	}
	var l list
	useful := false
	for i, sub := range first.Items() {
		n := o.below(sub, value.AppendIndex(firstAt, i))
		l.first = append(l.first, n)
		useful = useful || n != nil
	}
	l.item = o.below(rest, restAt)
	if useful || l.item != nil {
		p.list = &l
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
