package lowering

const pageBegin = "<!-- Code generated from internal/schema/lowering; DO NOT EDIT. make generate writes it. -->\n" + `
# How schemas are lowered

No provider takes all of JSON Schema for its structured output. promptd fits the caller's schema to what a provider takes (lowering), and maps the answer back into the caller's
shape (raising). Then it judges the answer by the schema as it was written: **the caller's schema alone decides what passes.**

- Lowering never shuts out a right answer; the exception is what a schema is [silent about](#what-is-read-narrowly).
- Raising is the exact inverse: what was valid before lowering is the same value after raising, digit for digit.
- What a provider does not enforce is its *residue*: it is said in descriptions where a model sees them, and judged afterwards.
- The same schema gives the same bytes each time, so that providers' own caches of prompts and grammars hold.

What becomes of a schema of yours is shown by

` + "```sh\npromptd schemas check --dialect openai --dialect gemini order.schema.json\n```" + `

and by ` + "`POST /v1/schemas/check`" + `: the mode, the lowered form, residue, what is read narrowly, and sizes against limits.

A schema gets the strongest mode that takes it: ` + "`strict`" + ` (the provider enforces it), ` + "`tool`" + ` (as the arguments of a forced tool), ` + "`grammar`" + ` (the engine can write nothing else),
` + "`json`" + ` (JSON of any shape, the schema is in the prompt), ` + "`prompt`" + ` (text). A provider that refuses a schema all the same is asked in the next mode, and that is remembered.

## The rules

| rule | what is lowered |
| --- | --- |
`

const pageReading = `
The examples are tests of promptd: what they show is what is sent.
`

const pageNarrowed = `
## What is read narrowly

A schema that names properties and says nothing of others accepts any others. Most providers take closed objects alone, and hardly an author wants a model to invent members: such an
object is sent closed. The same holds for a tuple that says nothing of further items, and for keywords without a type: ` + "`minLength`" + ` alone accepts a number, and is sent as a string.
So a right answer that lives by such silence cannot be given. It would pass: only the model is told less than the schema allows. To have it otherwise, say it: ` + "`\"additionalProperties\": true`" + `
is not silent, and travels as pairs ([R2b](#r2b-open-objects)).
`

const pageProfiles = `
## Profiles

A profile is what one dialect, or one service, model family or engine behind it, accepts. Only what a source is sure of is used. Keywords that a profile has are enforced by the provider;
all others are residue.
`

const pageLimits = `
### Limits

Providers limit whole schemas. What goes beyond is given up in the order of least harm: descriptions where they count, the largest lists of values, the widest bounds of arrays. What is
still too large gets a weaker mode. The names are those of the check's sizes.
`

func explainedRules() []explained {
	return []explained{
		{
			"R1", "Optional properties", "A provider that demands every property gets an optional one as required, or null.",
			"a property that it must give, and that may be null.", "null becomes absence.", "openai/optional",
		},
		{
			"R1b", "Optional properties that may be null", "Absence and null stay apart: what may be either travels in a wrapper.",
			"null where the member is absent, else an object with its value.", "null becomes absence, a wrapper its value, null included.", "openai/optional_nullable",
		},
		{
			"R2", "Dictionaries", "Objects whose names are not known before are arrays of pairs for providers that take closed objects alone.",
			"an array of objects with `key` and `value`.", "the pairs become an object. A key that stands twice is an error in the report, never a silent win.", "openai/dictionary",
		},
		{
			"R2b", "Open objects", "An object that has properties and says that it has others gets one more property for them.",
			"the named properties, and an array of pairs for the others.", "the pairs are merged into the object.", "openai/open_object_said",
		},
		{
			"R2c", "Names by pattern", "Members whose names match patterns travel as pairs too; the pattern is one of the key where the provider has patterns.",
			"an array of pairs.", "as of R2; which pattern holds for which name is judged.", "bedrock_claude/patterned",
		},
		{
			"R3", "Tuples", "An array whose items have types by position is an object of positions.",
			"an object with the members `0`, `1` and so on.", "the members become items again.", "openai/tuple",
		},
		{
			"R3b", "Tuples as loose arrays", "Where a profile has no tuples and no closed objects either, items are any of the types.",
			"an array whose items may be any of the types of the positions.", "nothing is translated; which type stands where is judged.", "gemini_openapi/tuple",
		},
		{
			"R4", "Roots that are no objects", "A root of another kind stands in an object where the provider wants one.",
			"an object with the one member `result`.", "the member's value.", "openai/root_array",
		},
		{
			"R5", "oneOf", "oneOf is sent as anyOf: no provider counts alternatives.",
			"alternatives.", "nothing is translated; that exactly one applies is judged.", "openai/oneof",
		},
		{
			"R5b", "Alternatives that look alike", "Where the answer's shape would not tell which alternative was meant, and they are raised differently, each stands in an object that names it.",
			"one object with one member for each alternative, named after its definition or its kind.", "the named alternative is raised, and its name goes.", "anthropic/union_named",
		},
		{
			"R6", "allOf", "The parts of allOf are merged into one schema where that is exact; bounds to the narrowest, types to those in common.",
			"one schema.", "nothing is translated.", "openai/allof",
		},
		{
			"R7", "Alternatives beside other keywords", "What stands beside anyOf holds in each alternative, and is put there.",
			"alternatives, each of them whole.", "nothing is translated.", "openai/anyof_beside",
		},
		{
			"R8", "References", "References lead to definitions, wherever their targets lay. What is small or used once is written out.",
			"definitions, or the schema itself.", "nothing is translated.", "openai/ref",
		},
		{
			"R8b", "References written out", "Profiles without references get everything in its place; too large a result gets a weaker mode.",
			"a schema without definitions.", "nothing is translated.", "gemini_openapi/ref",
		},
		{
			"R9", "Recursion", "Where a profile has no recursion, types that lead back to themselves are unrolled to at most four levels, and travel as JSON text below.",
			"the same object within itself, and JSON text at the end.", "JSON text is read as the value.", "gemini/recursion_root",
		},
		{
			"R10", "Any value", "A place that allows anything is JSON text, or a tree of all kinds where the provider has recursion; grammar engines take it as it is.",
			"a string that holds JSON.", "the text is read as the value; what does not parse is an error at that place.", "anthropic/json_any",
		},
		{
			"R11", "Constants and enums of other kinds", "const is an enum of one value. Values that a profile does not list are listed as texts.",
			"a list of values, with their type.", "a text that stands for a number, truth, null or an object becomes it again.", "gemini_openapi/const_enum",
		},
		{
			"R11b", "Mixed enums", "Values of several types are one list where the provider takes it, else alternatives, a list for each type.",
			"lists of values.", "nothing is translated.", "openai/const_enum",
		},
		{
			"R11c", "Large enums", "Providers limit values and their text. The largest lists are given up first: their type is sent, and the values are judged afterwards.",
			"a string or number; the values are in the description where they are short.", "nothing is translated.", "",
		},
		{
			"R12", "Bounds", "Bounds that the provider has are sent; the others are said in the description, in one sentence of fixed order and wording.",
			"\"Constraints: …\" behind the caller's own description.", "nothing is translated; all bounds are judged.", "anthropic/bounds",
		},
		{
			"R13", "Patterns", "Patterns are sent where every engine reads them alike: without look-around, references back and word boundaries. Engines that match whole texts get anchored ones alone.",
			"the pattern, or its text in the description.", "nothing is translated; the pattern is judged as ECMA-262 means it.", "openai_vllm/pattern",
		},
		{
			"R14", "Names", "Names that a provider does not take, of other characters or too long, travel under others.",
			"the other name, with the caller's in the description.", "the caller's name again.", "openai_deepseek/names",
		},
		{
			"R15", "Order", "Members are sent in the order of the caller's schema; Gemini is told it, for it sorts otherwise.",
			"the schema's order.", "members stand in the schema's order, those that it does not name behind.", "gemini/order",
		},
		{
			"R16", "Defaults", "A default is said and never filled in: absence stays absence.",
			"\"Default: …\" in the description.", "nothing is translated.", "openai/default",
		},
		{
			"R17", "Formats", "Formats that the provider enforces are sent, the others are said.",
			"the format, or its name in the description.", "nothing is translated; every format is judged.", "openai/format",
		},
		{
			"R18", "false", "A property that nothing satisfies is left out, and so is such an alternative. A schema that nothing satisfies gets no enforced mode.",
			"the others.", "nothing is translated.", "openai/false",
		},
		{
			"R19", "What says nothing of values", "Identifiers, comments, titles, examples and unknown keywords are left out; descriptions stay.",
			"descriptions alone.", "nothing is translated.", "openai/noise",
		},
		{
			"R20", "Older drafts", "Drafts 4 to 2019-09 are read as they mean it, and sent in today's words.",
			"today's keywords.", "nothing is translated.", "openai/draft4",
		},
	}
}
