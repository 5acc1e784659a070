// Package lint says of a schema what is worth knowing before a model sees it: what is tolerated, what is probably not meant, and what each dialect makes
// of it. It is the logic of promptd schemas check and of POST /v1/schemas/check; it refuses nothing that compiling accepts, and changes nothing.
//
// The main type is [Report]; [Check] makes it.
//
// How it works: advice.go holds the table of rules. walk.go walks the compiled schema once, from the places that judge the whole value inwards, and gives
// each place together with what else judges the same value (a group), so that a rule sees "required" in one branch and "properties" beside it. Rules
// find, the table speaks: a rule's message and advice stand in its row. dialect.go lowers for each dialect and measures what is sent. Schemas come from
// callers: every loop is bounded by the size of the schema, pairs of alternatives by a count, judging of defaults and examples by a count and a time.
package lint
