package lowering

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Rules R12, R16 and R17: what the provider will not enforce is said in the description, in one sentence, in a fixed order and wording. Providers
// cache prompts and grammars by their bytes.

// maxSaid is the longest JSON text of a constraint that is said.
const maxSaid = 300

// rankOf orders constraints within a description.
func rankOf(keyword string) int {
	order := [...]string{
		"type", "enum", "const", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"pattern", "format", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems", "contains", "minContains", "maxContains",
		"propertyNames", "dependentRequired", "oneOf", "not", "if", "then", "else",
	}
	if i := slices.Index(order[:], keyword); i >= 0 {
		return i
	}
	return len(order)
}

// describe gives a description: the caller's own, how what is sent is to be read, the constraints that are not enforced, the default.
func describe(own saying, left []Residue, note string) string {
	text := own.description
	if note != "" {
		text = sentence(text, strings.ToUpper(note[:1])+note[1:]+".")
	}
	var said []string
	left = slices.Clone(left)
	slices.SortStableFunc(left, func(a, b Residue) int { return rankOf(a.Keyword) - rankOf(b.Keyword) })
	for _, r := range left {
		if words := sayConstraint(r); words != "" && !slices.Contains(said, words) {
			said = append(said, words)
		}
	}
	if len(said) > 0 {
		text = sentence(text, "Constraints: "+strings.Join(said, "; ")+".")
	}
	if own.hasFallback {
		if words := own.fallback.String(); len(words) <= maxSaid {
			text = sentence(text, "Default: "+words+".")
		}
	}
	return text
}

func sentence(before, after string) string {
	before = strings.TrimRight(before, " \n")
	if before == "" {
		return after
	}
	if !strings.ContainsAny(before[len(before)-1:], ".!?") {
		before += "."
	}
	return before + " " + after
}

// Said tells whether the description in the lowered schema says the constraint, or nothing needs to be said of it. The others are too long for one.
func (r Residue) Said() bool {
	switch r.Keyword {
	case "uniqueItems", "dependentRequired":
		return true
	}
	return sayConstraint(r) != ""
}

func sayConstraint(r Residue) string {
	switch r.Keyword {
	case "uniqueItems":
		if r.Value.Truth() {
			return "items are unique"
		}
		return ""
	case "x-extractive":
		return "copied word for word from the text"
	case "x-rules":
		return sayRules(r.Value)
	case "oneOf":
		return "exactly one alternative applies"
	case "dependentRequired":
		return sayDependent(r.Value)
	}
	text := r.Value.Text()
	if r.Value.Kind() != value.KindString && r.Value.Kind() != value.KindNumber {
		text = r.Value.String()
	}
	if len(text) > maxSaid {
		return ""
	}
	return r.Keyword + " " + text
}

func sayDependent(v value.Value) string {
	var said []string
	for name, needs := range v.Members() {
		var names []string
		for _, n := range needs.Items() {
			names = append(names, n.Text())
		}
		if len(names) > 0 {
			said = append(said, "if "+name+" is present, "+strings.Join(names, " and ")+" must be present")
		}
	}
	return strings.Join(said, "; ")
}

// sayRules says rules by their messages, which their author wrote for readers, or as they are.
func sayRules(rules value.Value) string {
	var said []string
	for _, r := range rules.Items() {
		text := r.Text()
		for _, name := range [...]string{"rule", "message"} {
			if own, ok := r.Get(name); ok && own.Text() != "" {
				text = own.Text()
			}
		}
		said = append(said, text)
	}
	text := strings.Join(said, "; ")
	if len(text) > maxSaid {
		return ""
	}
	return text
}
