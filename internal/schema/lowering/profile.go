package lowering

import (
	"slices"
	"strings"
)

// Profile says what one dialect and model accept. It is a row of the table and a choice of its forms; profiles compare with ==, so that a schema and a
// profile are a cache's key.
type Profile struct {
	row   uint8   // in the table, from 1; the zero Profile sends no schema
	modes modeSet // 0 is all forms that are not opt-in
	tight bool    // smaller generation caps
}

// OpenAI is the strict subset of OpenAI's structured outputs, then JSON mode.
func OpenAI() Profile { return must("openai") }

// LlamaCpp is llama.cpp's server with llguidance: a grammar of the whole schema, then JSON mode.
func LlamaCpp() Profile { return must("llamacpp:llguidance") }

// LlamaCppConverter is llama.cpp's server without llguidance, whose own converter makes the grammar: of less than the whole schema.
func LlamaCppConverter() Profile { return must("llamacpp") }

func must(name string) Profile {
	p, _ := Named(name)
	return p
}

// Names lists the profiles by name: a dialect, or a dialect and the service, model family or engine behind it.
func Names() []string {
	var names []string
	for _, r := range table() {
		names = append(names, r.name)
	}
	return names
}

// Dialects lists the profiles that are named by a dialect alone.
func Dialects() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return strings.Contains(name, ":") })
}

// Named gives the profile of a name.
func Named(name string) (Profile, bool) {
	for i, r := range table() {
		if r.name == name {
			return Profile{row: uint8(i + 1)}, true //nolint:gosec // The table is short.
		}
	}
	return Profile{}, false
}

// Tight gives the profile with smaller generation caps: for small models, which seldom end what they run away with.
func (p Profile) Tight() Profile {
	p.tight = true
	return p
}

// Only gives the profile with those modes alone; no mode leaves it as it is.
func (p Profile) Only(modes ...Mode) Profile {
	if len(modes) > 0 {
		p.modes = 0
		for _, m := range modes {
			p.modes |= bit(m)
		}
	}
	return p
}

// Below gives the profile with what is weaker than a mode: for a provider that refused a schema in it.
func (p Profile) Below(mode Mode) Profile {
	weaker := false
	rest := modeSet(0)
	for _, f := range p.forms() {
		if weaker {
			rest |= bit(f.mode)
		}
		weaker = weaker || f.mode == mode
	}
	if rest == 0 {
		rest = bit(Prompt)
	}
	p.modes = rest
	return p
}

// Without gives the profile without those modes: for what a provider refused. Prompt mode is always left.
func (p Profile) Without(modes ...Mode) Profile {
	if len(modes) == 0 {
		return p
	}
	rest := bit(Prompt)
	for _, f := range p.forms() {
		if !slices.Contains(modes, f.mode) {
			rest |= bit(f.mode)
		}
	}
	p.modes = rest
	return p
}

// Modes lists the profile's modes from the strongest to the weakest.
func (p Profile) Modes() []Mode {
	var modes []Mode
	for _, f := range p.forms() {
		modes = append(modes, f.mode)
	}
	return modes
}

type modeSet uint8

// bit gives a mode's place in a set; a mode that does not exist has none.
func bit(m Mode) modeSet {
	all := [...]Mode{Strict, Tool, Grammar, JSON, Prompt}
	i := slices.Index(all[:], m)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// forms lists what the profile may use, strongest first. Prompt mode is always possible.
func (p Profile) forms() []form {
	var out []form
	for _, f := range p.rows() {
		if p.tight && f.caps != (Caps{}) {
			f.caps.StringLength, f.caps.Items = tightString, tightItems
			if f.caps.Properties > 0 {
				f.caps.Properties = tightItems
			}
		}
		if p.modes == 0 && !f.optIn || p.modes&bit(f.mode) != 0 {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		out = append(out, form{mode: Prompt, fit: inPrompt})
	}
	return out
}

// The caps of a tight profile: a sentence or two, and as many items as a short text names.
const (
	tightString = 300
	tightItems  = 20
)

// rows gives the forms of the profile's row.
func (p Profile) rows() []form {
	if list := table(); p.row > 0 && int(p.row) <= len(list) {
		return list[p.row-1].forms()
	}
	return []form{{mode: Prompt, fit: inPrompt}}
}

// fit is the way in which a schema is fitted to a form.
type fit uint8

const (
	inPrompt fit = iota // not sent; the model answers in the caller's shape
	inObject            // not sent; the model answers with an object
	asGuide             // sent as it is below an object root, not enforced
	asSubset            // lowered to the form's subset
)

func (f fit) sends() bool { return f == asGuide || f == asSubset }

// form is one way of structured output that a row offers.
type form struct {
	mode   Mode
	fit    fit
	optIn  bool // used only where the capability names it
	subset subset
	caps   Caps
}

// subset is what a form accepts of JSON Schema, and how what it does not is put. Numbers are limits; 0 is none.
type subset struct {
	keywords []string // asserted by the provider
	formats  []string // likewise, of the keyword format
	fewItems bool     // minItems may be 0 or 1

	object       bool // the root is an object
	needs        bool // and requires a member
	dictionaries bool // members that are not named are sent as such, else as pairs
	patterned    bool // likewise of patternProperties
	shuts        bool // the engine closes objects that say nothing of further members
	tuples       tuples
	anything     anything
	lists        lists
	emptyless    bool // an empty text is no listed value
	typeLists    bool // type may be a list
	openAPI      bool // null is a flag, and nothing stands beside anyOf
	inline       bool // there are no references
	recursion    bool
	rootRef      bool // "#" is a reference
	refSiblings  bool // a reference with a description is put into an anyOf of its own
	ordering     bool // the order of members is said by propertyOrdering
	folds        bool // alternatives that are enums are put into one
	plainNames   bool // members' names are of [A-Za-z0-9_.-]{1,64}
	quiet        bool // the model does not see what is sent: descriptions say nothing
	converter    bool // llama.cpp's own converter reads the schema
	anchored     bool // patterns are read as matching the whole
	near         bool // bounds far away cannot be written
	spans        bool // patterns may be as long as a text: extractive strings are held to its spans

	optional int // how many optional properties are sent as such; -1 is all, 0 none: they are required and may be null
	unions   int // how many unions stand outside definitions
	nesting  int // of objects, in the root and in each definition
	// of the whole schema
	properties, characters, enumValues int
	// of one string enum with more than bigEnum values
	bigEnum, bigEnumCharacters int
	text, bytes                int // the length, as it is sent and with references written out
	itemsTotal                 int // the sum of maxItems
}

// tuples is how arrays with items of their own types are put.
type tuples uint8

const (
	tupleObject  tuples = iota // objects of positions
	tupleNative                // prefixItems
	tupleBounded               // prefixItems, ended by maxItems
	tupleExact                 // prefixItems of a fixed length, else as tupleLoose
	tupleLoose                 // arrays of any of the items
)

// anything is how a value of any kind is put.
type anything uint8

const (
	anyText   anything = iota // JSON text
	anyTree                   // a recursive definition
	anyNative                 // the empty schema
)

// lists is which values an enum may hold; others are sent as texts.
type lists uint8

const (
	listScalars        lists = iota
	listAny                  // objects and arrays too
	listStringsNumbers       // texts alone, or numbers alone
	listStrings
)
