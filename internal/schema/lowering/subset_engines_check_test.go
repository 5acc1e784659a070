package lowering_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// engineDialect holds sections 2.6 to 2.8: llama.cpp's own converter, which Ollama has too, llguidance, and vLLM, whose backend "auto" takes xgrammar
// for all that its check lets pass and llguidance for the rest.
func engineDialect(profile string) (dialect, bool) {
	switch profile {
	case "llamacpp", "ollama":
		return dialect{
			keywords: append(engineKeywords(), annotations()...),
			formats:  words("date-time time date uuid"),
			grammar:  true, anyValue: true,
			refs: []string{"#/"}, beside: append(annotations(), "$defs", "definitions"),
			pattern: converterPattern,
			more:    convertible,
		}, true
	case "llamacpp:llguidance":
		return llguidance(), true
	case "openai:vllm":
		d := llguidance()
		d.formats = append(d.formats, "uri")
		d.beside = append(annotations(), "$defs", "definitions") // What xgrammar makes of others is not measured.
		d.pattern = func(text string) string {
			if why := linear(text); why != "" {
				return why
			} else if !anchored(text) {
				return "is read as if it were anchored at both ends"
			}
			return ""
		}
		d.more = func(c *subsetChecker, at string, s value.Value) {
			guided(c, at, s)
			xgrammar(c, at, s)
		}
		return d, true
	default:
		return dialect{}, false
	}
}

func llguidance() dialect {
	return dialect{
		keywords: slices.Concat(engineKeywords(), annotations(), words("patternProperties minProperties maxProperties multipleOf")),
		// uri is enforced too, but is too large for the llguidance inside llama.cpp's server.
		formats:  words("date-time time date duration email hostname ipv4 ipv6 uuid"),
		booleans: "both",
		grammar:  true, anyValue: true,
		refs: []string{"#/"}, beside: slices.Concat(engineKeywords(), annotations(), words("patternProperties minProperties maxProperties multipleOf")),
		pattern: linear,
		more:    guided,
	}
}

func engineKeywords() []string {
	return words(`$defs definitions $ref type enum const anyOf allOf properties required additionalProperties items prefixItems
		minItems maxItems minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum`)
}

// annotations are what the table of section 3 calls not needed: the engines read over them.
func annotations() []string {
	return words("title description default examples $comment deprecated readOnly writeOnly")
}

// constraints lists a schema's keywords but annotations and definitions.
func constraints(s value.Value) (names []string) {
	for name := range s.Members() {
		if name != "$defs" && name != "definitions" && !slices.Contains(annotations(), name) {
			names = append(names, name)
		}
	}
	return names
}

// alone complains where a keyword has constraints beside it, which are not seen then.
func alone(c *subsetChecker, at string, s value.Value, keyword string) {
	if others := less(constraints(s), keyword); holds(s, keyword) && len(others) > 0 {
		c.add(at, "%s not seen beside %s", strings.Join(others, ", "), keyword)
	}
}

// listed complains where required names what properties does not list: it is not enforced, or nothing can be produced.
func listed(c *subsetChecker, at string, s value.Value) {
	required, _ := s.Get("required")
	properties, _ := s.Get("properties")
	known := map[string]bool{}
	for name := range properties.Members() {
		known[name] = true
	}
	for _, name := range textsOf(required) {
		if !known[name] {
			c.add(at, "required names %s, which is not among the properties", name)
		}
	}
}

// converterPattern: ^…$ of literals, […], groups, |, * + ? {m,n}. Of anything else the whole pattern is dropped and any string taken.
func converterPattern(text string) string {
	p := scanPattern(text)
	switch {
	case linear(text) != "":
		return linear(text)
	case !strings.HasPrefix(text, "^") || !strings.HasSuffix(text, "$") || !anchored(text):
		return "is dropped: it is not anchored at both ends"
	case p.letter != 0 || p.digitEscape || p.innerAnchor || p.special:
		return "is dropped: it has a class escape, an inner anchor or a special group"
	default:
		return ""
	}
}

// convertible checks what llama.cpp's converter refuses or silently ignores (section 2.6).
func convertible(c *subsetChecker, at string, s value.Value) {
	if len(constraints(s)) > 0 && !holds(s, words("type $ref enum const anyOf allOf properties additionalProperties items prefixItems")...) {
		c.add(at, "the converter does not recognise %s", s)
	}
	if holds(s, "items") && holds(s, "prefixItems") {
		c.add(at, "items beside prefixItems")
	}
	alone(c, at, s, "anyOf")
	alone(c, at, s, "allOf")
	all, _ := s.Get("allOf")
	for _, branch := range all.Items() {
		if !slices.Contains(typeNames(branch), "object") && !holds(branch, "properties", "$ref", "enum", "const") {
			c.add(at, "allOf of anything but objects and enums")
		}
	}
	if holds(s, "pattern") && holds(s, "minLength", "maxLength") {
		c.add(at, "length bounds beside a pattern are not enforced")
	}
	kinds := typeNames(s)
	if holds(s, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum") && (len(kinds) == 0 || slices.Contains(kinds, "number")) {
		c.add(at, "number bounds are enforced on integers alone")
	}
	listed(c, at, s)
}

// maxPatterns bounds the comparison of patterns with each other.
const maxPatterns = 300

// guided checks what llguidance refuses beyond keywords, formats and patterns (section 2.8).
func guided(c *subsetChecker, at string, s value.Value) {
	list, _ := s.Get("required")
	required := setOf(textsOf(list))
	properties, _ := s.Get("properties")
	for key := range properties.Members() {
		if holds(s, "minProperties", "maxProperties") && !required[key] {
			c.add(at, "counts of members are taken only where every listed member is required; %s is not", key)
		}
	}
	patterned, _ := s.Get("patternProperties")
	var res []*regexp.Regexp
	for text := range patterned.Members() {
		re, err := regexp.Compile(text)
		if err != nil {
			c.add(at, "the engine cannot compile the pattern %s", text)
			return
		}
		res = append(res, re)
	}
	if len(res) > maxPatterns {
		c.add(at, "%d patterns of names are too many to be checked", len(res))
		return
	}
	for text := range patterned.Members() {
		name, ok := sample(text)
		hits := 0
		for _, re := range res {
			if ok && re.MatchString(name) {
				hits++
			}
		}
		if hits > 1 {
			c.add(at, "patternProperties must be disjoint; %d patterns match %q", hits, name)
		}
	}
}

// xgrammar checks what it reads otherwise than written although vLLM's check lets it pass (section 2.8).
func xgrammar(c *subsetChecker, at string, s value.Value) {
	if all, _ := s.Get("allOf"); all.Len() > 1 {
		c.add(at, "allOf is ignored")
	}
	alone(c, at, s, "allOf")
	alone(c, at, s, "anyOf")
	if holds(s, "pattern") && holds(s, "minLength", "maxLength") {
		c.add(at, "length bounds beside a pattern are ignored")
	}
	for _, name := range []string{"patternProperties", "minProperties", "maxProperties"} {
		if holds(s, name) && holds(s, "properties") {
			c.add(at, "%s must not stand beside properties", name)
		}
	}
	patterned, _ := s.Get("patternProperties")
	for text := range patterned.Members() {
		if !anchored(text) {
			c.add(at, "the pattern %s of names is read as if it were anchored at both ends", text)
		}
	}
	for _, p := range below(at, s, true) {
		if p.schema.Kind() == value.KindBool && !p.schema.Truth() && !strings.HasSuffix(p.at, "/items") {
			c.add(p.at, "a subschema false must be dropped")
		}
	}
	listed(c, at, s)
}
