package repair

import "slices"

// Kind names what was put right.
type Kind string

// The kinds. They are part of the API: reports carry them.
const (
	KindFence            Kind = "fence"             // a Markdown code fence around the value
	KindProse            Kind = "prose"             // text around the value
	KindReasoning        Kind = "reasoning"         // a block of reasoning before the value
	KindByteOrderMark    Kind = "byte_order_mark"   // a byte order mark before the value
	KindSeveralValues    Kind = "several_values"    // more than one value, of which one was chosen
	KindConcatenated     Kind = "concatenated"      // more than one value, one behind the other, read as an array
	KindTrailingComma    Kind = "trailing_comma"    // a comma with nothing behind it
	KindExtraComma       Kind = "extra_comma"       // a comma with nothing before it
	KindMissingComma     Kind = "missing_comma"     // two members or items without a comma between them
	KindMissingColon     Kind = "missing_colon"     // a name and its value without a colon between them
	KindMissingQuote     Kind = "missing_quote"     // a string that lacks one of its quotes, or a quote too many beside a value
	KindMissingValue     Kind = "missing_value"     // a name without a value, which is left out
	KindSingleQuotes     Kind = "single_quotes"     // a string in single quotes or backticks
	KindSmartQuotes      Kind = "smart_quotes"      // a string in typographic quotes
	KindDoubledQuotes    Kind = "doubled_quotes"    // a string in two or three quotes each side
	KindUnquoted         Kind = "unquoted"          // a string or name without quotes
	KindUnescapedQuote   Kind = "unescaped_quote"   // a quote inside a string without its backslash
	KindControlCharacter Kind = "control_character" // a line break or control character inside a string
	KindBadEscape        Kind = "bad_escape"        // an escape that JSON does not have
	KindSurrogate        Kind = "surrogate"         // half of a surrogate pair, now U+FFFD
	KindBadUTF8          Kind = "bad_utf8"          // bytes that are not UTF-8, now U+FFFD
	KindWhiteSpace       Kind = "white_space"       // white space that JSON does not have
	KindComment          Kind = "comment"           // a comment
	KindEllipsis         Kind = "ellipsis"          // three dots in place of items or members
	KindLiteral          Kind = "literal"           // a literal of another language: True, None, undefined, NaN
	KindNumber           Kind = "number"            // a number in a spelling that JSON does not have
	KindConcatenation    Kind = "concatenation"     // a string joined from parts
	KindCall             Kind = "call"              // a function or type around a value: callback({}), NumberLong(2)
	KindTuple            Kind = "tuple"             // a tuple or set, read as an array
	KindUnbalanced       Kind = "unbalanced"        // a bracket that is missing, of the wrong kind, or too many
	KindGarbage          Kind = "garbage"           // words between members or items, left out
	KindClosed           Kind = "closed"            // the text ended inside the value, which was closed
	KindNestedJSON       Kind = "nested_json"       // JSON inside a JSON string
	KindDuplicateKey     Kind = "duplicate_key"     // a name that stood twice; the last one counts
	KindXML              Kind = "xml"               // elements, read as a value
	KindYAML             Kind = "yaml"              // block YAML, read as a value
)

// Kinds gives all kinds in the order of the alphabet.
func Kinds() []Kind {
	kinds := []Kind{
		KindFence, KindProse, KindReasoning, KindByteOrderMark, KindSeveralValues, KindConcatenated, KindTrailingComma,
		KindExtraComma, KindMissingComma, KindMissingColon, KindMissingQuote, KindMissingValue, KindSingleQuotes, KindSmartQuotes,
		KindDoubledQuotes, KindUnquoted, KindUnescapedQuote, KindControlCharacter, KindBadEscape, KindSurrogate, KindBadUTF8,
		KindWhiteSpace, KindComment, KindEllipsis, KindLiteral, KindNumber, KindConcatenation, KindCall, KindTuple,
		KindUnbalanced, KindGarbage, KindClosed, KindNestedJSON, KindDuplicateKey, KindXML, KindYAML,
	}
	slices.Sort(kinds)
	return kinds
}
