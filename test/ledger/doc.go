// Package ledger holds what promptd says a call cost against a ledger that was computed by hand.
//
// testdata/rows.tsv names recorded answers with their prices, testdata/ledger.py computes their costs with json and fractions alone, and
// testdata/ledger.tsv is its output. The test serves each answer over HTTP, lets a provider make the call, and compares to the nano-dollar. Where a service
// told what it billed, the ledger itself is held to that.
package ledger
