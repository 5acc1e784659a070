package lowering

import "slices"

// Profile says what one dialect and model accept. It is a row of the table in this file and a choice of its forms; profiles compare with ==, so that
// a schema and a profile are a cache's key.
type Profile struct {
	row   rowName
	modes modeSet // 0 is all forms that are not opt-in
	tight bool    // smaller generation caps
}

type rowName uint8

const (
	rowPrompt rowName = iota // the zero Profile sends no schema
	rowOpenAI
	rowLlamaCpp
	rowConverter
)

// OpenAI is the strict subset of OpenAI's structured outputs, then JSON mode.
func OpenAI() Profile { return Profile{row: rowOpenAI} }

// LlamaCpp is llama.cpp's server with llguidance: a grammar of the whole schema, then JSON mode.
func LlamaCpp() Profile { return Profile{row: rowLlamaCpp} }

// LlamaCppConverter is llama.cpp's server without llguidance, whose own converter makes the grammar: of less than the whole schema.
func LlamaCppConverter() Profile { return Profile{row: rowConverter} }

// Names lists the profiles by name: a dialect, or a dialect and what runs behind it.
func Names() []string { return []string{"openai", "llamacpp", "llamacpp:llguidance"} }

// Named gives the profile of a name.
func Named(name string) (Profile, bool) {
	switch name {
	case "openai":
		return OpenAI(), true
	case "llamacpp":
		return LlamaCppConverter(), true
	case "llamacpp:llguidance":
		return LlamaCpp(), true
	default:
		return Profile{}, false
	}
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
	for _, f := range rowOf(p.row) {
		if p.tight && f.caps != (Caps{}) {
			f.caps.StringLength, f.caps.Items = tightString, tightItems
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

// fit is the way in which a schema is fitted to a form.
type fit uint8

const (
	inPrompt  fit = iota // not sent; the model answers in the caller's shape
	inObject             // not sent; the model answers with an object
	asGuide              // sent as it is below an object root, not enforced
	asSubset             // lowered to the form's subset with closed objects
	asGrammar            // stripped of what the form's subset does not know
)

// form is one way of structured output that a row offers.
type form struct {
	mode   Mode
	fit    fit
	optIn  bool // used only where the capability names it
	subset subset
	caps   Caps
}

// subset is what a form accepts of JSON Schema. Numbers are limits; 0 is none.
type subset struct {
	keywords []string // asserted by the provider
	formats  []string // likewise, of the keyword format
	// of the whole schema
	depth, properties, characters, enumValues int
	// of one string enum with more than bigEnum values
	bigEnum, bigEnumCharacters int
	// converter is set where llama.cpp's own converter reads the schema.
	converter bool
}

// rowOf is the table of profiles. Sources and dates: reference schema-subsets, sections 2.1, 2.6 and 2.8.
func rowOf(name rowName) []form {
	switch name {
	case rowOpenAI: // 2026-11: openai-python 3.54.0 and the structured outputs guide
		return []form{
			{mode: Strict, fit: asSubset, subset: subset{
				keywords: []string{
					"type", "enum", "const", "anyOf", "$ref", "properties", "required", "items",
					"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format",
					"minItems", "maxItems",
				},
				formats: []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"},
				depth:   10, properties: 5000, characters: 120_000, enumValues: 1000, bigEnum: 250, bigEnumCharacters: 15_000,
			}},
			{mode: Tool, fit: asGuide, optIn: true},
			{mode: JSON, fit: inObject},
			{mode: Prompt, fit: inPrompt},
		}
	case rowLlamaCpp: // 2026-11-24: measured, llguidance 1.9.1; 2026-11-26: the format uri is too large for the one inside llama.cpp's server
		return []form{
			{mode: Grammar, fit: asGrammar, caps: Caps{StringLength: 2000, Formats: true, Items: 100, Depth: 6, Members: true}, subset: subset{
				keywords: []string{
					"type", "enum", "const", "anyOf", "allOf", "$ref", "properties", "required", "additionalProperties",
					"patternProperties", "minProperties", "maxProperties", "items", "prefixItems", "minItems", "maxItems",
					"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format",
				},
				formats: []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"},
			}},
			{mode: JSON, fit: inObject},
			{mode: Prompt, fit: inPrompt},
		}
	case rowConverter: // 2026-11: measured, llama.cpp at 0c1e57098
		return []form{
			{mode: Grammar, fit: asGrammar, caps: Caps{StringLength: 2000, Items: 100, Depth: 6, Members: true}, subset: subset{
				keywords: []string{
					"type", "enum", "const", "anyOf", "allOf", "$ref", "properties", "required", "additionalProperties", "items", "prefixItems",
					"minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format",
				},
				formats:   []string{"date-time", "time", "date", "uuid"},
				converter: true,
			}},
			{mode: JSON, fit: inObject},
			{mode: Prompt, fit: inPrompt},
		}
	default:
		return []form{{mode: Prompt, fit: inPrompt}}
	}
}
