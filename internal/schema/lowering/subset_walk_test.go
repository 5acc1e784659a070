package lowering_test

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// dialect is what the reference says of one service. The zero dialect permits no keyword at all.
type dialect struct {
	keywords     []string // permitted everywhere
	rootKeywords []string // permitted at the root as well
	formats      []string // permitted formats; nil: all
	bearing      []string // each schema has one of them; nil: none is needed
	booleans     string   // boolean subschemas: "" none, "true", "both"

	grammar, tools bool // it has a mode grammar and not strict; its tools are strict too

	objectRoot  bool // the root has type object and is no anyOf and no $ref
	closed      bool // each object has additionalProperties: false
	allRequired bool // each object has properties, and all of them are required
	needItems   bool // each array has items
	oneType     bool // type is no list
	oneKind     bool // an enum's values are of one JSON type
	anyValue    bool // enum and const may hold objects and arrays
	acyclic     bool // no $ref leads back to what it stands in
	smallMin    bool // minItems is 0 or 1

	refs   []string // what a $ref may be: "#", or a prefix that a name follows, "#/" for every local pointer
	beside []string // keywords that may stand beside $ref
	// pattern says what is wrong with a pattern, if anything.
	pattern func(text string) string
	// more checks one schema by rules of this dialect alone; whole checks the document.
	more  func(c *subsetChecker, at string, s value.Value)
	whole func(c *subsetChecker)

	depth, properties, characters, enumValues int // budgets; 0: none is known
	bigEnum                                   bool
}

// subsetChecker checks one schema by a dialect.
type subsetChecker struct {
	complaints
	dialect
	root    value.Value
	targets *references
	steps   int

	sumProperties, sumCharacters, sumEnum int
}

// Bounds of every walk: a schema of a million places, or as deep as such pointers, is refused for its size by all.
const (
	maxSteps   = 1_000_000
	maxPointer = 20_000
	maxChain   = 20_000
)

func (d dialect) check(root value.Value) []string {
	c := &subsetChecker{dialect: d, root: root, targets: indexReferences(root), steps: maxSteps}
	if d.objectRoot {
		if kinds := typeNames(root); len(kinds) != 1 || kinds[0] != "object" {
			c.add("", "the root must have type object")
		}
		if holds(root, "anyOf", "oneOf", "allOf", "$ref") {
			c.add("", "the root must not be a choice or a $ref")
		}
	}
	c.visit("", root, 0)
	for _, budget := range []struct {
		name       string
		got, limit int
	}{{"properties", c.sumProperties, d.properties}, {"characters in names and values", c.sumCharacters, d.characters}, {"enum values", c.sumEnum, d.enumValues}} {
		if budget.limit > 0 && budget.got > budget.limit {
			c.add("", "%d %s, %d are allowed", budget.got, budget.name, budget.limit)
		}
	}
	if d.acyclic {
		if at, found := findCycle(root, c.targets); found {
			c.add(at, "a $ref leads back to what it stands in: recursion is not permitted")
		}
	}
	if d.whole != nil {
		d.whole(c)
	}
	return c.complaints
}

func (c *subsetChecker) visit(at string, s value.Value, depth int) {
	if c.steps--; c.steps < 0 || len(at) > maxPointer || len(c.complaints) >= maxComplaints {
		if c.steps == -1 || len(at) > maxPointer {
			c.add(at[:min(len(at), 100)], "the schema is too large to be checked")
		}
		return
	}
	if s.Kind() == value.KindBool && (c.booleans == "both" || c.booleans == "true" && s.Truth()) {
		return
	}
	if s.Kind() != value.KindObject {
		c.add(at, "a subschema must be an object, not %s", s.Kind())
		return
	}
	c.names(at, s)
	c.values(at, s)
	kinds := typeNames(s)
	if slices.Contains(kinds, "object") || holds(s, "properties") {
		if depth++; c.depth > 0 && depth > c.depth {
			c.add(at, "more than %d levels of nesting", c.depth)
			return
		}
		c.object(at, s)
	}
	if _, ok := s.Get("items"); c.needItems && !ok && slices.Contains(kinds, "array") {
		c.add(at, "an array must have items")
	}
	if c.more != nil {
		c.more(c, at, s)
	}
	for _, p := range below(at, s, true) {
		if p.definition {
			c.sumCharacters += utf8.RuneCountInString(p.name)
			c.visit(p.at, p.schema, 0)
		} else {
			c.visit(p.at, p.schema, depth)
		}
	}
}

// names checks which keywords stand in a schema and that each has a value of its form.
func (c *subsetChecker) names(at string, s value.Value) {
	for name, item := range s.Members() {
		if !slices.Contains(c.keywords, name) && (at != "" || !slices.Contains(c.rootKeywords, name)) {
			c.add(at, "the keyword %s is not permitted", name)
		}
		if want := misshapen(name, item); want != "" {
			c.add(at, "%s must be %s", name, want)
		}
	}
	if c.bearing != nil && !holds(s, c.bearing...) {
		c.add(at, "a schema must have one of %s", strings.Join(c.bearing, ", "))
	}
	if _, ok := s.Get("$ref"); ok {
		c.reference(at, s)
	}
}

func (c *subsetChecker) reference(at string, s value.Value) {
	for name := range s.Members() {
		if name != "$ref" && !slices.Contains(c.beside, name) && (at != "" || !slices.Contains(c.rootKeywords, name)) {
			c.add(at, "%s must not stand beside $ref", name)
		}
	}
	ref, _ := s.Get("$ref")
	ok := slices.ContainsFunc(c.refs, func(form string) bool {
		name, found := strings.CutPrefix(ref.Text(), form)
		return found && (form == "#/" || (name == "") == (form == "#") && !strings.Contains(name, "/"))
	})
	if !ok {
		c.add(at, "$ref %s is not of the form %s", ref.Text(), strings.Join(c.refs, " or "))
	} else if _, _, ok = c.targets.resolve(ref.Text()); !ok {
		c.add(at, "$ref %s leads nowhere", ref.Text())
	}
}

// values checks type, enum, const, format, pattern and minItems.
func (c *subsetChecker) values(at string, s value.Value) {
	if kind, ok := s.Get("type"); ok && c.oneType && kind.Kind() == value.KindArray {
		c.add(at, "type must not be a list")
	}
	if format, ok := s.Get("format"); ok && c.formats != nil && !slices.Contains(c.formats, format.Text()) {
		c.add(at, "the format %s is not permitted", format.Text())
	}
	if pattern, ok := s.Get("pattern"); ok && c.pattern != nil {
		if why := c.pattern(pattern.Text()); why != "" {
			c.add(at, "the pattern %s %s", pattern.Text(), why)
		}
	}
	if least, ok := s.Get("minItems"); ok && c.smallMin {
		if n, whole := least.Decimal().Int64(); !whole || n > 1 {
			c.add(at, "minItems must be 0 or 1")
		}
	}
	enum, _ := s.Get("enum")
	text := 0
	for _, v := range enum.Items() {
		if v.Kind() == value.KindObject || v.Kind() == value.KindArray {
			if !c.anyValue {
				c.add(at, "an enum value must be a scalar")
			}
		} else if v.Kind() != enum.At(0).Kind() && c.oneKind {
			c.add(at, "an enum of mixed types")
		}
		text += utf8.RuneCountInString(v.Text())
	}
	c.sumEnum += enum.Len()
	if c.bigEnum && enum.Len() > 250 && text > 15_000 {
		c.add(at, "an enum of %d values with %d characters, 15,000 are allowed above 250 values", enum.Len(), text)
	}
	one, _ := s.Get("const")
	if !c.anyValue && (one.Kind() == value.KindObject || one.Kind() == value.KindArray) {
		c.add(at, "const must be a scalar")
	}
	c.sumCharacters += text + utf8.RuneCountInString(one.Text())
}

func (c *subsetChecker) object(at string, s value.Value) {
	if further, ok := s.Get("additionalProperties"); c.closed && (!ok || further.Kind() != value.KindBool || further.Truth()) {
		c.add(at, "additionalProperties must be false")
	}
	properties, ok := s.Get("properties")
	list, _ := s.Get("required")
	required := setOf(textsOf(list))
	c.sumProperties += properties.Len()
	for name := range properties.Members() {
		c.sumCharacters += utf8.RuneCountInString(name)
		if c.allRequired && !required[name] {
			c.add(at, "required must include every key; %s is missing", name)
		}
	}
	if c.allRequired && !ok {
		c.add(at, "an object must have properties")
	} else if c.allRequired && list.Len() != properties.Len() {
		c.add(at, "required has %d names, there are %d properties", list.Len(), properties.Len())
	}
}

// misshapen says what a keyword's value has to be where it is something else.
func misshapen(name string, item value.Value) string {
	switch name {
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		if item.Kind() != value.KindNumber {
			return "a number"
		}
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
		if item.Kind() != value.KindNumber || !item.Decimal().IsInteger() || item.Decimal().Sign() < 0 {
			return "a count"
		}
	case "pattern", "format", "description", "$ref", "title":
		if item.Kind() != value.KindString {
			return "a string"
		}
	case "properties", "patternProperties", "$defs", "definitions":
		if item.Kind() != value.KindObject {
			return "an object"
		}
	case "enum", "anyOf", "oneOf", "allOf":
		if item.Kind() != value.KindArray || item.Len() == 0 {
			return "an array that is not empty"
		}
	case "prefixItems":
		if item.Kind() != value.KindArray {
			return "an array"
		}
	case "required", "propertyOrdering":
		names := textsOf(item)
		slices.Sort(names)
		if item.Kind() != value.KindArray || len(slices.Compact(names)) != item.Len() ||
			slices.ContainsFunc(itemsOf(item), func(v value.Value) bool { return v.Kind() != value.KindString }) {
			return "an array of different strings"
		}
	case "type":
		names := []value.Value{item}
		if item.Kind() == value.KindArray {
			names = itemsOf(item)
		}
		known := words("string number integer boolean null object array")
		if len(names) == 0 || slices.ContainsFunc(names, func(v value.Value) bool { return !slices.Contains(known, v.Text()) }) {
			return "a known type, not " + item.String()
		}
	}
	return ""
}

// place is a subschema and where it stands.
type place struct {
	at, name   string
	schema     value.Value
	definition bool
}

// below lists the subschemas directly below a schema. additionalProperties: true and the like are no subschemas here.
func below(at string, s value.Value, definitions bool) (list []place) {
	for name, item := range s.Members() {
		under := value.AppendPointer(at, name)
		definition := name == "$defs" || name == "definitions"
		switch name {
		case "$defs", "definitions", "properties", "patternProperties", "dependentSchemas":
			if item.Kind() != value.KindObject || definition && !definitions {
				continue
			}
			for key, sub := range item.Members() {
				list = append(list, place{value.AppendPointer(under, key), key, sub, definition})
			}
		case "anyOf", "oneOf", "allOf", "prefixItems":
			for i, sub := range item.Items() {
				list = append(list, place{at: value.AppendIndex(under, i), schema: sub})
			}
		case "items", "propertyNames", "contains", "not", "if", "then", "else":
			list = append(list, place{at: under, schema: item})
		case "additionalProperties", "additionalItems", "unevaluatedItems", "unevaluatedProperties":
			if item.Kind() != value.KindBool {
				list = append(list, place{at: under, schema: item})
			}
		}
	}
	return list
}

// everywhere yields each schema that is reached from the root without following a reference.
func everywhere(root value.Value, definitions bool, visit func(at string, s value.Value)) {
	steps := maxSteps
	var walk func(at string, s value.Value)
	walk = func(at string, s value.Value) {
		if steps--; steps < 0 || len(at) > maxPointer {
			return
		}
		visit(at, s)
		for _, p := range below(at, s, definitions) {
			walk(p.at, p.schema)
		}
	}
	walk("", root)
}
