// Package sdk holds what promptd's dialects read of recorded exchanges against what the vendors' own clients read of them.
//
// It is a module of its own, so that the clients stay out of promptd. There is nothing but tests in it: each recorded answer is served over HTTP on
// loopback, a vendor's client and the dialect read it, and the two readings are compared member by member. What is left out has a written reason.
// Webhooks are held against the reference libraries of Standard Webhooks in Go, Python and JavaScript.
package sdk
