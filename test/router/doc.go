// Package router holds the router and the attempt loop to what they promise over simulated services: the real pipeline, providers and strategies, under
// virtual time, with services that fail, slow down, refuse and cost as services do. It is tests alone.
//
// The acceptance tests show the bounds; the table of docs/reference/routing.md compares the strategies with the best single provider (make bench-router). What a service does
// to a request depends on the seed, the request and how often it came, and on nothing else.
package router
