package schema

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// kinds is a set of instance kinds. An integer is a number whose value has no fraction.
type kinds uint8

const (
	anyNull kinds = 1 << iota
	anyBool
	anyNumber
	anyString
	anyArray
	anyObject
	anyInteger

	everyKind = anyNull | anyBool | anyNumber | anyString | anyArray | anyObject
)

func kindOf(k value.Kind) kinds { return 1 << k }

// node is one compiled subschema.
type node struct {
	resource *resource
	pointer  string
	raw      value.Value
	never    bool // the schema false
	kinds    kinds
	// strict is draft 4's integer: 1.0 is none.
	strict bool
	// tracks is set where unevaluated* needs to know what the others judged.
	tracks bool

	every []keyword                       // keywords for any kind of value
	of    [value.KindObject + 1][]keyword // keywords for one kind
	last  [2]keyword                      // unevaluatedItems, unevaluatedProperties
	// Made of these by settle: what judges a kind of value, and the kinds that nothing judges further.
	judges [value.KindObject + 1][]keyword
	quiet  kinds

	// For coercion and partial judgement: the parts by meaning.
	refs    []*node // $ref and allOf: they judge the same value in any case
	choices []choice
	dynamic bool // a $dynamicRef or $recursiveRef judges the same value
	other   bool // not, if, dependencies… judge the same value
	inPlace []*node
	object  *objectKeyword
	array   *arrayKeyword
	enum    []value.Value
	pattern pattern
	format  string
}

// choice is an anyOf or oneOf.
type choice struct {
	branches []*node
	one      bool
}

type place struct {
	doc     *document
	pointer string
}

type compiler struct {
	ctx      context.Context //nolint:containedctx // A compiler lives within one call.
	o        Options
	docs     map[string]*document
	byURI    map[string][]*resource
	nodes    map[place]*node
	queue    []*node
	patterns map[string]pattern
	problems []fault.Entry
	advice   []Advice
	remote   []string
	scoped   bool
	weight   int
	// patternWork is what the patterns so far cost.
	patternWork int
	// rules compiles x-rules; nil until there is one.
	rules      *ruleCompiler
	extractive bool
}

func newCompiler(ctx context.Context, o Options) *compiler {
	return &compiler{
		ctx: ctx, o: o, docs: map[string]*document{}, byURI: map[string][]*resource{},
		nodes: map[place]*node{}, patterns: map[string]pattern{},
	}
}

func (c *compiler) problem(doc *document, pointer, rule, message, hint string) {
	if doc != nil && !doc.main {
		message = "in " + cut(doc.url, 200) + " at " + cut(pointer, 200) + ": " + message
		pointer = ""
	}
	c.problems = append(c.problems, fault.Entry{Pointer: pointer, Rule: rule, Message: message, Hint: hint})
}

// maxAdvice bounds what a sloppy schema can make us say.
const maxAdvice = 100

func (c *compiler) advise(pointer, rule, message string) {
	if len(c.advice) < maxAdvice {
		c.advice = append(c.advice, Advice{Pointer: pointer, Rule: rule, Message: message})
	}
}

// compile gives the root's node; problems say what stands against the schema.
func (c *compiler) compile(raw value.Value) *node {
	doc := &document{url: ownURL, root: raw, places: map[string]*resource{}, values: map[string]value.Value{}, main: true}
	c.index(doc)
	if len(c.problems) > 0 {
		return nil
	}
	root := c.node(doc, "")
	for _, pointer := range doc.order {
		c.node(doc, pointer)
	}
	for {
		for len(c.queue) > 0 {
			n := c.queue[0]
			c.queue = c.queue[1:]
			c.fill(n)
			n.settle()
			if len(c.problems) > maxProblems || c.ctx.Err() != nil {
				return nil
			}
		}
		if c.dynamicAnchors(); len(c.queue) == 0 {
			break
		}
	}
	c.duplicates()
	c.settle()
	if len(c.problems) == 0 {
		c.endless()
	}
	slices.SortStableFunc(c.advice, func(a, b Advice) int { return comparePointers(a.Pointer, b.Pointer) })
	return root
}

// node gives the node of a place and queues it for filling.
func (c *compiler) node(doc *document, pointer string) *node {
	at := place{doc, pointer}
	if n, ok := c.nodes[at]; ok {
		return n
	}
	n := &node{resource: doc.places[pointer], pointer: pointer, raw: doc.values[pointer], kinds: everyKind}
	c.nodes[at] = n
	c.queue = append(c.queue, n)
	const nodeWeight = 850
	c.weight += nodeWeight + len(pointer)
	return n
}

// child gives the node below another one.
func (c *compiler) child(n *node, tokens ...string) *node {
	pointer := n.pointer
	for _, token := range tokens {
		pointer = value.AppendPointer(pointer, token)
	}
	return c.node(n.resource.doc, pointer)
}

// dynamicAnchors makes the nodes that dynamic references may lead to.
func (c *compiler) dynamicAnchors() {
	if !c.scoped {
		return
	}
	for _, list := range c.byURI {
		for _, r := range list {
			if len(r.dynamicAt) > 0 && r.dynamic == nil {
				r.dynamic = make(map[string]*node, len(r.dynamicAt))
				for name, pointer := range r.dynamicAt {
					r.dynamic[name] = c.node(r.doc, pointer)
				}
			}
			if r.recurses && r.recursive == nil {
				r.recursive = c.node(r.doc, r.pointer)
			}
		}
	}
}

// settle takes dynamic references that can lead to one place only for what they are: references.
func (c *compiler) settle() {
	for _, n := range c.nodes {
		if !n.dynamic {
			continue
		}
		for _, k := range n.every {
			if k, ok := k.(*dynamicRefKeyword); ok && c.leadsToOne(k) {
				n.refs, n.inPlace = append(n.refs, k.target), append(n.inPlace, k.target)
				n.dynamic = false
			}
		}
	}
}

func (c *compiler) leadsToOne(k *dynamicRefKeyword) bool {
	for _, list := range c.byURI {
		for _, r := range list {
			if n, ok := r.dynamic[k.anchor]; ok && n != k.target || k.recursive && r.recursive != nil && r.recursive != k.target {
				return false
			}
		}
	}
	return true
}

// duplicates advises of identifiers that stand twice and that nobody refers to; references to them are problems already.
func (c *compiler) duplicates() {
	for uri, list := range c.byURI {
		if len(list) > 1 && list[0].doc.main && uri != ownURL {
			for _, r := range list[1:] {
				if r.doc.main && r.pointer != list[0].pointer {
					c.advise(r.pointer, "duplicate_id", fmt.Sprintf("the identifier %s stands twice", cut(uri, 200)))
				}
			}
		}
	}
}

// endless finds references that lead back to themselves without going into the value.
func (c *compiler) endless() {
	state := make(map[*node]int8, len(c.nodes))
	var walk func(n *node) bool
	walk = func(n *node) bool {
		switch state[n] {
		case 1:
			c.problem(n.resource.doc, n.pointer, "endless_reference", "the schema refers to itself without going into the value, so that judging never ends",
				"Let the recursion go through properties or items.")
			return false
		case 2:
			return true
		}
		state[n] = 1
		for _, next := range n.inPlace {
			if !walk(next) {
				return false
			}
		}
		state[n] = 2
		return true
	}
	for _, pointer := range c.docs[ownURL].order {
		if !walk(c.nodes[place{c.docs[ownURL], pointer}]) {
			return
		}
	}
}

// target finds what a reference names; ok is false after a problem was said.
func (c *compiler) target(n *node, keyword, ref string) (*resource, string, bool) {
	at := value.AppendPointer(n.pointer, keyword)
	dangling := func(message, hint string) (*resource, string, bool) {
		c.problem(n.resource.doc, at, "dangling_reference", message, hint)
		return nil, "", false
	}
	uri, fragment, _ := strings.Cut(ref, "#")
	r := n.resource
	if uri != "" {
		absolute, ok := resolveURI(r.base, uri)
		if !ok {
			return dangling(fmt.Sprintf("%s %q is no URI reference", keyword, cut(ref, 200)), "Write it as a URI reference.")
		}
		list := c.byURI[absolute]
		if len(list) == 0 {
			if _, ok := c.load(absolute); !ok {
				return dangling(fmt.Sprintf("%s %q leads out of the schema and is not allowed", keyword, cut(ref, 200)),
					"Put the referenced schema into $defs, or register it under this URL.")
			}
			list = c.byURI[absolute]
		}
		r = list[0].doc.places[list[0].pointer]
		for _, other := range list[1:] {
			if other := other.doc.places[other.pointer]; other != r {
				return dangling(fmt.Sprintf("%s %q is ambiguous: the identifier stands twice", keyword, cut(ref, 200)), "Give each schema an identifier of its own.")
			}
		}
	}
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	pointer := r.pointer
	switch {
	case fragment == "":
	case fragment[0] == '/':
		tokens, ok := value.Tokens(fragment)
		if !ok {
			return dangling(fmt.Sprintf("%s %q holds no JSON pointer", keyword, cut(ref, 200)), "Escape ~ as ~0 and / as ~1.")
		}
		for _, token := range tokens {
			pointer = value.AppendPointer(pointer, token)
		}
	default:
		anchored, ok := r.anchors[fragment]
		if !ok {
			return dangling(fmt.Sprintf("%s %q names an anchor that does not exist", keyword, cut(ref, 200)), "Name an existing $anchor, or a JSON pointer such as #/$defs/name.")
		}
		pointer = anchored
	}
	found, ok := r.doc.lookup(pointer)
	if !ok && r.pointer != "" && uri == "" && strings.HasPrefix(fragment, "/") {
		// Generators put an $id on a part and go on to write pointers from the document's root. By the specification such a pointer starts at
		// the $id and leads nowhere, so there is no other reading.
		if found, ok = r.doc.root.Lookup(fragment); ok {
			pointer = fragment
			c.advise(at, "reference_base", fmt.Sprintf("%s %q leads nowhere from the nearest identifier and is read from the document's root", keyword, cut(ref, 200)))
		}
	}
	if !ok {
		return dangling(fmt.Sprintf("%s %q leads nowhere", keyword, cut(ref, 200)), "Define the schema it names, or correct the pointer.")
	}
	if k := found.Kind(); k != value.KindObject && k != value.KindBool {
		return dangling(fmt.Sprintf("%s %q leads to a %s, which is no schema", keyword, cut(ref, 200), k), "Point at an object or a boolean.")
	}
	if _, known := r.doc.places[pointer]; !known {
		c.visit(r.doc, r.doc.enclosing(pointer), found, pointer, 0)
	}
	return r, pointer, true
}

// enclosing gives the resource of the nearest known subschema above a pointer.
func (d *document) enclosing(pointer string) *resource {
	for {
		if r, ok := d.places[pointer]; ok {
			return r
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
}
