// Package archtest holds the tree to its rules: who may import whom, what may be done where, and how things are named. It is tests alone.
//
// The directions are a list of levels, from the bottom to the top: a package imports what stands below it, and nothing beside it but what is listed with a
// reason. The other rules read the syntax of every file. A rule that must be broken gets a line here with its reason, not a comment in the code.
package archtest
