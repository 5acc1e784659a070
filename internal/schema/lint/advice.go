package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// rule is a row of the table: what is found, what is said of it and what to do.
type rule struct {
	name string
	// message has a verb for each detail that find gives.
	message string
	hint    string
	find    func(*linter)
}

// table lists the rules.
func table() []rule {
	return []rule{
		{
			"required_unknown", "required names %s, which no properties describe: a model has to guess what it is", "Describe the member in properties, or take it out of required.",
			(*linter).requiredUnknown,
		},
		{
			"enum_type", "the type excludes %s, so it can never be the value", "Correct the value, take it out, or add its type.",
			(*linter).enumType,
		},
		{
			"open_object", "%s silent about further members: the schema accepts any, and most providers are sent a closed object", `Write "additionalProperties": false where there are no others, else their schema.`,
			(*linter).openObjects,
		},
		{
			"type_missing", "%s is about one type, and no type is said: a value of any other passes", `Add "type": %s.`,
			(*linter).typeMissing,
		},
		{
			"unbounded", "%s without a bound: small local models write on and on", "Add maxLength to strings and maxItems to arrays, with room to spare.",
			(*linter).unbounded,
		},
		{
			"bounds_contradict", "%s leave no value between them", "Correct one of the two.",
			(*linter).boundsContradict,
		},
		{
			"pattern_unanchored", "the pattern matches a part of the text: anything may stand %s", "Begin it with ^ and end it with $, if it is about the whole text.",
			(*linter).patternUnanchored,
		},
		{
			"pattern_slashes", "the pattern stands between slashes, as in a program: here they are part of it, and the text must have them", "Take the slashes off.",
			(*linter).patternSlashes,
		},
		{
			"pattern_lookaround", "the pattern has %s, which no provider enforces: promptd judges it afterwards", "Say it by other keywords or by several patterns under allOf, and describe it to the model.",
			(*linter).patternLookaround,
		},
		{
			"oneof_overlap", "nothing keeps alternatives %s of oneOf apart, and a value that fits both is refused", "Give each a required property with a const of its own, or write anyOf.",
			(*linter).oneOfOverlap,
		},
		{
			"no_description", "%s: the name is all that a model is told", "Describe what a name does not say: unit, source, form, what to do where the text is silent.",
			(*linter).noDescription,
		},
		{
			"deep_nesting", "objects stand %s levels deep: models answer worse the deeper they go, and OpenAI takes 10", "Flatten what belongs together, or split the task.",
			(*linter).deepNesting,
		},
		{
			"unused_definition", "nothing refers to the definition %s", "Take it out, or refer to it.",
			(*linter).unusedDefinitions,
		},
		{
			"default_refused", "the schema refuses its own default: %s", "Correct the default: models are told it.",
			(*linter).defaultRefused,
		},
		{
			"examples_refused", "the schema refuses its own example: %s", "Correct the example or the schema.",
			(*linter).examplesRefused,
		},
		{
			"format_type", "format %s judges strings, and the type allows none", "Take it out, or make it a string.",
			(*linter).formatType,
		},
		{
			"unsatisfiable", "no value satisfies the schema, so every answer fails", "Look for a required member that may not be there, an empty list of values, or parts of allOf that exclude each other.",
			(*linter).unsatisfiable,
		},
		{
			"unfinished", "checking the schema was given up before its end: there may be more to say", "Simplify the schema: what takes long here takes long for each answer.",
			(*linter).unfinished,
		},
	}
}

// Rules lists the names of the rules, in the order of the table.
func Rules() []string {
	var names []string
	for _, r := range table() {
		names = append(names, r.name)
	}
	return names
}

// maxPerRule bounds how often one rule speaks.
const maxPerRule = 20

// patience bounds the time for all advice. It is long for anything but a schema that was made to take long.
const patience = 300 * time.Millisecond

// linter runs the rules over one schema.
type linter struct {
	ctx context.Context //nolint:containedctx // A linter lives within one call.
	*walked
	judged int  // defaults and examples so far
	cut    bool // something was given up
	rule   rule
	said   int
	advice []Advice
	more   int
}

// own gives the visits of the caller's own document that are objects: remote schemas are not theirs to change. It ends early when time is up.
func (l *linter) own(yield func(*visit) bool) {
	for _, v := range l.visits {
		if l.ctx.Err() != nil {
			l.cut = true
			return
		}
		if v.Own() && v.Raw().Kind() == value.KindObject && !yield(v) {
			return
		}
	}
}

func (l *linter) unfinished() {
	if l.cut {
		l.say("")
	}
}

// say gives advice by the rule that runs: the details fill the verbs of its message, then those of its hint.
func (l *linter) say(pointer string, details ...any) {
	if l.said++; l.said > maxPerRule {
		l.more++
		return
	}
	n := strings.Count(l.rule.message, "%s")
	hint := l.rule.hint
	if len(details) > n {
		hint = fmt.Sprintf(hint, details[n:]...)
	}
	l.advice = append(l.advice, Advice{pointer, l.rule.name, fmt.Sprintf(l.rule.message, details[:n]...), hint})
}

// advise gives the compiler's advice and that of the rules, in the order of the schema.
func advise(ctx context.Context, s *schema.Schema) (list []Advice, more int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l := &linter{ctx: ctx, walked: walk(s)}
	for _, a := range s.Advice() {
		l.advice = append(l.advice, Advice{Pointer: a.Pointer, Rule: a.Rule, Message: a.Message, Hint: hintOf(a.Rule)})
	}
	for _, l.rule = range table() {
		l.said = 0
		l.rule.find(l)
	}
	order := map[string]int{}
	number(s.Value(), "", order)
	slices.SortStableFunc(l.advice, func(a, b Advice) int { return cmp.Compare(order[a.Pointer], order[b.Pointer]) })
	return l.advice, l.more
}

// number gives every place its number in the order of the schema.
func number(v value.Value, pointer string, order map[string]int) {
	order[pointer] = len(order)
	switch v.Kind() {
	case value.KindObject:
		for name, item := range v.Members() {
			number(item, value.AppendPointer(pointer, name), order)
		}
	case value.KindArray:
		for i, item := range v.Items() {
			number(item, value.AppendIndex(pointer, i), order)
		}
	}
}

// hintOf says what to do about what the compiler tolerates.
func hintOf(rule string) string {
	switch rule {
	case "unknown_keyword":
		return "Correct its spelling, or take it out: no model is told it."
	case "other_draft":
		return "Write it as the draft does, or name the other draft in $schema."
	case "ignored_sibling":
		return "Put it into the definition, or use a newer draft."
	case "unknown_format":
		return "Use a format that promptd knows, or a pattern."
	case "unknown_schema":
		return "Name a draft of json-schema.org in $schema."
	case "duplicate_id", "duplicate_anchor":
		return "Give each its own."
	case "duplicate_name", "id_fragment", "id_syntax", "reference_base", "empty_enum", "extractive_type":
		return "Correct it: another reader may take it otherwise."
	default:
		return ""
	}
}

// short cuts a value's text for a message.
func short(v value.Value) string {
	const most = 60
	text := v.String()
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && text[cut]&0xC0 == 0x80 { // Not inside a character.
		cut--
	}
	return text[:cut] + "…"
}

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
