package main

import (
	"context"
	"errors"
	"time"
)

// scaling is what several workers do in the time of one, where the provider takes a second.
type scaling struct {
	name      string
	workers   int
	perSecond float64
}

// scale measures 1 and 4 workers of so many slots each, which do the same number of prompts a slot.
func (b *bench) scale(ctx context.Context, s setup) (out []scaling, err error) {
	slow, err := b.startProvider("slow", "--latency", "1s")
	if err != nil {
		return nil, err
	}
	defer slow.end()
	usual := b.provider
	b.provider = slow
	defer func() { b.provider = usual }()
	const slots, each = 16, 15
	for _, workers := range []int{1, 4} {
		s.apart, s.slots = workers, slots
		one, err := b.scaled(ctx, s, workers*slots*each)
		if err != nil {
			return nil, err
		}
		out = append(out, scaling{s.name, workers, one})
	}
	return out, nil
}

func (b *bench) scaled(ctx context.Context, s setup, count int) (float64, error) {
	in, err := b.install(ctx, s)
	if err != nil {
		return 0, err
	}
	defer in.end()
	c := in.client()
	if err := errors.Join(closed(ctx, callers, 2*s.slots*s.apart, c.job), c.drained(ctx)); err != nil { // Every worker is there.
		return 0, err
	}
	begun := time.Now()
	if err := errors.Join(closed(ctx, callers, count, c.job), c.drained(ctx)); err != nil {
		return 0, err
	}
	return float64(count) / time.Since(begun).Seconds(), nil
}
