// Package doctest holds what is written for people to what the program does. It is tests alone.
//
// Every example under examples/ must be a request that promptd takes and a schema that accepts the answer it should get. In README.md, CONTRIBUTING.md,
// SECURITY.md and docs/ every fenced block of json parses, every block of yaml is a configuration that loads, every command of a block of sh exists with
// its flags, every make target is in the Makefile, every body of a curl to /v1/analyze is read by the API's own reader, and every relative link leads somewhere.
// A block of another language (text, console) is prose.
package doctest
