// Package schema compiles a caller's JSON Schema and is the judge of "passed".
//
// A schema of draft 2020-12, 2019-09, 7, 6 or 4 is compiled once into nodes that are evaluated over package value's values; what a value
// violates becomes a [Report]. The package also aligns a value to a schema's types ([Schema.Coerce]), puts members in the schema's order
// ([Schema.Reorder]) and judges single fields of an unfinished answer ([Schema.Unfinished]). It is not for making JSON out of text
// (package repair) nor for fitting a schema to a provider (package lowering).
//
// The main type is [Schema]; [Compile] makes it, [Cache] keeps it. Only [Schema.Accept] and [Restore] make a [Valid], so that whatever
// is called passed was judged here.
//
// How it works: index.go finds resources, identifiers and anchors of a document; compile.go turns each subschema into a node of small
// keywords, sorted by the kind of value that they judge; trial.go runs them with a budget of steps and a context. The verdict on a valid
// value allocates nothing; only when it is "no" is the value judged a second time to collect entries. Schemas come from callers, so each
// loop here is bounded: size, depth and count when compiling, steps when judging, program size for patterns. Numbers are compared exactly,
// patterns mean what ECMA-262 says (package-local parser, and a memoising matcher whose steps are counted), and formats are
// asserted in every draft. Annotations (title, default, examples, content…) judge nothing.
package schema
