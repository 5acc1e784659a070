package api

import (
	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/idempotency"
)

// asked is what a call asks for that is answered once, with the key and the body by which its repetition is known.
type asked[T any] struct {
	name idempotency.Name
	raw  []byte
	what T
}

// readAsked reads the idempotency key and the body; where optional is set, an absent body is an empty object.
func readAsked[T any](c *call, optional bool, read func(*body.Reader) (T, error)) (asked[T], error) {
	var a asked[T]
	var err error
	if a.name, err = idempotencyKey(c); err != nil {
		return a, err
	}
	var r *body.Reader
	if r, a.raw, err = c.object(optional); err != nil {
		return a, err
	}
	a.what, err = read(r)
	return a, err
}

// readNothing reads the body of a call that asks for nothing further.
func readNothing(r *body.Reader) (struct{}, error) { return struct{}{}, r.Done() }
