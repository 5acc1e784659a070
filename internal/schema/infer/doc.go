// Package infer drafts a schema from examples of the values that it is to describe, alone or each with the text that it was taken from. A draft is where an
// author begins: it holds what the examples show and nothing that they do not, such as bounds of numbers. It is not for judging: a draft that would refuse
// one of its own examples is never given.
//
// The main type is [Result]; [Draft] makes it.
//
// How it works: the values that stand at one place in all the examples are looked at together (place.go), and what they have in common decides: text.go for
// strings, object.go for members, dictionaries and variants. Every decision leaves a note with its evidence, n of m. Thresholds are constants beside the
// code that uses them. The draft does not depend on the order of the examples, other than in the order of its members and in annotations. Work is bounded
// by the size of the examples; a draft that is too large is made again with coarser limits.
package infer
